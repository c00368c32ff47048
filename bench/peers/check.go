package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"matmul/internal/elem"
)

// exactSize is the shape of the exact check: larger than a block of any
// kernel, and no multiple of one.
var exactSize = size{131, 97, 211}

// checkExactly compares a product of small integers, which has no rounding in
// either type, with a plain loop.
func checkExactly[T elem.Float](e engine[T]) error {
	o, err := e.operands()
	if err != nil {
		return err
	}
	s := exactSize
	na, nb, nc := s.elements()
	fillIntegers(o.a[:na], 3)
	fillIntegers(o.b[:nb], 4)
	fillNaN(o.c[:nc])
	want := plainProduct(s, o)
	if err := e.multiply(s); err != nil {
		return err
	}
	if o, err = e.operands(); err != nil {
		return err
	}
	for i, w := range want {
		if got := o.c[i]; got != w {
			return fmt.Errorf("wrong answer for integers, %v: C[%d,%d] is %v, want %v", s, int64(i)/s.N, int64(i)%s.N, got, w)
		}
	}
	return nil
}

// fillIntegers writes integers from −8 to 8.
func fillIntegers[T elem.Float](v []T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range v {
		v[i] = T(r.IntN(17) - 8)
	}
}

func plainProduct[T elem.Float](s size, o operands[T]) []T {
	c := make([]T, s.M*s.N)
	for i := range s.M {
		row := c[i*s.N:][:s.N]
		for p := range s.K {
			a, b := o.a[i*s.K+p], o.b[p*s.N:][:s.N]
			for j := range row {
				row[j] += a * b[j]
			}
		}
	}
	return c
}

// checkRandomly computes a product of the size anew and checks it.
func checkRandomly[T elem.Float](e engine[T], s size) error {
	o, err := e.operands()
	if err != nil {
		return err
	}
	_, _, n := s.elements()
	fillNaN(o.c[:n])
	if err := e.multiply(s); err != nil {
		return err
	}
	if o, err = e.operands(); err != nil {
		return err
	}
	return freivalds(s, o, uint64(s.M^s.N<<20^s.K<<40))
}

// freivalds checks C·x = A·(B·x) for a random x of ±1, row by row, within the
// rounding errors that any order of summation stays below: design.md section 2
// (Freivalds 1979; Higham 2002, section 3.1). A C that is wrong anywhere passes
// with a probability of 1/2 at most per wrong row.
func freivalds[T elem.Float](s size, o operands[T], seed uint64) error {
	x := signs(s.N, seed)
	bx, babs := make([]float64, s.K), make([]float64, s.K)
	for p := range s.K {
		bx[p], babs[p] = dots(o.b[p*s.N:][:s.N], x, nil)
	}
	slack := gamma64(float64(2*s.N+2*s.K+16)) + productGamma[T](float64(s.K+2))
	underflow := float64(s.K+2) * float64(s.N) * smallest[T]()
	for i := range s.M {
		want, scale := dots(o.a[i*s.K:][:s.K], bx, babs)
		got, _ := dots(o.c[i*s.N:][:s.N], x, nil)
		if bound := slack*scale + underflow; !(math.Abs(got-want) <= bound) {
			return fmt.Errorf("wrong answer at %v: row %d of C·x is %v, A·(B·x) is %v, apart by more than %.3g", s, i, got, want, bound)
		}
	}
	return nil
}

func signs(n int64, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = 1 - 2*float64(r.Uint64()&1)
	}
	return x
}

// dots returns row·x and |row|·weight; without weight, the sum of |row|.
func dots[T elem.Float](row []T, x, weight []float64) (dot, sum float64) {
	for j, v := range row {
		dot += float64(v) * x[j]
		w := 1.0
		if weight != nil {
			w = weight[j]
		}
		sum += math.Abs(float64(v)) * w
	}
	return dot, sum
}

// productGamma bounds the relative error of n steps in T.
func productGamma[T elem.Float](n float64) float64 {
	if elem.Of[T]() == elem.Float32 {
		return gamma(n, 0x1p-24)
	}
	return gamma64(n)
}

func gamma64(n float64) float64  { return gamma(n, 0x1p-53) }
func gamma(n, u float64) float64 { return n * u / (1 - n*u) }

func smallest[T elem.Float]() float64 {
	if elem.Of[T]() == elem.Float32 {
		return math.SmallestNonzeroFloat32
	}
	return math.SmallestNonzeroFloat64
}
