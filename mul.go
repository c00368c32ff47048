package matmul

import (
	"context"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// Mul computes dst = a·b, as gonum's dst.Mul(a, b) does: an empty dst takes the
// shape of the product, any other must have it; shapes that do not fit panic
// with mat.ErrShape. A transposed matrix (a.T()) is read where it is; one of
// another type than mat.Dense and mat.VecDense is copied first. dst may share
// memory with a and b, at the cost of a copy.
//
// The errors, and what they leave in dst, are those of [Gemm].
func Mul(ctx context.Context, p *Pool, dst *mat.Dense, a, b mat.Matrix) error {
	m, k := a.Dims()
	kb, n := b.Dims()
	if k != kb {
		panic(mat.ErrShape)
	}
	if dst.IsEmpty() {
		dst.ReuseAs(m, n)
	} else if r, c := dst.Dims(); r != m || c != n {
		panic(mat.ErrShape)
	}
	c := dst.RawMatrix()
	ra, tA := rawOf(a, c)
	rb, tB := rawOf(b, c)
	return Gemm(ctx, p, tA, tB, m, n, k, 1, ra.Data, ra.Stride, rb.Data, rb.Stride, 0, c.Data, c.Stride)
}

// rawOf returns the memory of a matrix or of its transpose: a copy if it is not
// kept as Gemm reads it, or shares memory with dst.
func rawOf(x mat.Matrix, dst blas64.General) (raw blas64.General, t blas.Transpose) {
	t = blas.NoTrans
	u := x
	if tr, ok := x.(mat.Untransposer); ok {
		u, t = tr.Untranspose(), blas.Trans
	}
	switch u := u.(type) {
	case mat.RawMatrixer:
		raw = u.RawMatrix()
	case mat.RawVectorer:
		v := u.RawVector()
		raw = blas64.General{Rows: v.N, Cols: 1, Stride: v.Inc, Data: v.Data}
	default:
		return mat.DenseCopyOf(x).RawMatrix(), blas.NoTrans
	}
	if overlap(raw.Data, dst.Data) {
		return mat.DenseCopyOf(x).RawMatrix(), blas.NoTrans
	}
	return raw, t
}
