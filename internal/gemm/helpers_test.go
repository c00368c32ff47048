package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"matmul/internal/elem"
)

// kernels returns every kernel that the machine has for T.
func kernels[T elem.Float](t testing.TB) []*Kernel {
	var ks []*Kernel
	for _, isa := range Supported() {
		k, err := Lookup(isa, elem.Of[T]())
		if err != nil {
			t.Fatal(err)
		}
		ks = append(ks, k)
	}
	return ks
}

// same reports whether x and y have the same bits, or are both NaN.
func same[T elem.Float](x, y T) bool {
	if x != x || y != y {
		return x != x && y != y
	}
	return math.Float64bits(float64(x)) == math.Float64bits(float64(y))
}

// guardLen is longer than any block that a kernel could write by mistake in
// one step.
const guardLen = 64

// guarded is a buffer between two runs of a value that no test computes.
type guarded[T elem.Float] struct {
	all []T
	buf []T
}

const guardValue = -1.2345e30

// newGuarded returns a buffer of n elements, all of them NaN, at an odd
// alignment when shift says so.
func newGuarded[T elem.Float](n, shift int) guarded[T] {
	all := make([]T, n+2*guardLen+shift)
	for i := range all {
		all[i] = guardValue
	}
	g := guarded[T]{all, all[guardLen+shift:][:n:n]}
	for i := range g.buf {
		g.buf[i] = T(math.NaN())
	}
	return g
}

func (g guarded[T]) check(t testing.TB, name string) {
	t.Helper()
	var guard T = guardValue
	for i, x := range g.all {
		inside := i >= guardLen && i < len(g.all)-guardLen
		if !inside && x != guard {
			t.Fatalf("%s: element %d outside the buffer was overwritten with %v", name, i, x)
		}
	}
}

// A flavour makes the elements of a test.
type flavour func(r *rand.Rand) float64

var flavours = []flavour{
	func(r *rand.Rand) float64 { return r.Float64()*2 - 1 },
	func(r *rand.Rand) float64 { return r.NormFloat64() },
	func(r *rand.Rand) float64 { return math.Ldexp(r.NormFloat64(), r.IntN(80)-40) },
	func(r *rand.Rand) float64 { return float64(r.IntN(5) - 2) },
	special(tiny32), special(huge32), special(tiny64), special(huge64),
}

// special draws from exponents around one at which the type's arithmetic is
// at its end, with an infinity, a NaN or a zero of either sign now and then.
func special(exp int) flavour {
	odd := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1, -1}
	return func(r *rand.Rand) float64 {
		switch r.IntN(40) {
		case 0:
			return odd[r.IntN(len(odd))]
		case 1, 2:
			return odd[r.IntN(2)]
		}
		return math.Ldexp(r.NormFloat64(), exp+r.IntN(12)-6)
	}
}

// Products of elements around these exponents are about the smallest
// subnormal, or overflow, in the type of the name.
const (
	tiny32, huge32 = -72, 62
	tiny64, huge64 = -535, 510
)

func fill[T elem.Float](r *rand.Rand, f flavour, s []T) {
	for i := range s {
		s[i] = T(f(r))
	}
}
