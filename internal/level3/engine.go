package level3

import (
	"sync"

	"gonum.org/v1/gonum/blas"

	"matmul/internal/elem"
)

// A Gemm computes C = alpha·op(A)·op(B) + beta·C like gonum's Dgemm: row-major,
// op(A) m×k, op(B) k×n, C m×n. Its operands may share memory with C as long as
// they have no element in common with it.
type Gemm[T elem.Float] func(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)

// triangular is a Trmm or a Trsm.
type triangular[T elem.Float] func(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)

// engine is the blocked algorithms for one element type.
type engine[T elem.Float] struct {
	gemm       Gemm[T]
	trmm, trsm triangular[T] // gonum's own
	leaf       int           // order up to which a triangle is gonum's
	square     int           // order up to which a symmetric block is made whole
	least      int           // multiply-adds from which a symmetric product is not gonum's
	squares    sync.Pool     // of *[]T, square² long
}

// half returns where a matrix of order n > leaf is cut: near the middle, after
// whole leaves.
func half(n, leaf int) int { return (n/2 + leaf - 1) / leaf * leaf }

// opposite returns the other of NoTrans and Trans.
func opposite(t blas.Transpose) blas.Transpose {
	if t == blas.NoTrans {
		return blas.Trans
	}
	return blas.NoTrans
}
