package main

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"

	"matmul/internal/elem"
)

// gonum is the engine of gonum's own, pure Go, BLAS.
type gonum[T elem.Float] struct {
	guest[T]
	gemm func(s size, o operands[T])
}

func openGonum[T elem.Float](s setup) (engine[T], error) {
	g := &gonum[T]{}
	var err error
	if g.guest, err = newGuest[T](s.Sizes); err != nil {
		return nil, err
	}
	switch gemm := any(&g.gemm).(type) {
	case *func(size, operands[float64]):
		*gemm = gonum64
	case *func(size, operands[float32]):
		*gemm = gonum32
	}
	return g, nil
}

func gonum64(s size, o operands[float64]) {
	m, n, k := int(s.M), int(s.N), int(s.K)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1,
		blas64.General{Rows: m, Cols: k, Stride: k, Data: o.a}, blas64.General{Rows: k, Cols: n, Stride: n, Data: o.b},
		0, blas64.General{Rows: m, Cols: n, Stride: n, Data: o.c})
}

func gonum32(s size, o operands[float32]) {
	m, n, k := int(s.M), int(s.N), int(s.K)
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1,
		blas32.General{Rows: m, Cols: k, Stride: k, Data: o.a}, blas32.General{Rows: k, Cols: n, Stride: n, Data: o.b},
		0, blas32.General{Rows: m, Cols: n, Stride: n, Data: o.c})
}

func (g *gonum[T]) multiply(s size) error {
	g.gemm(s, g.ops)
	return nil
}

func (g *gonum[T]) about() string { return "pure Go" }
