package matmul

import (
	"context"

	"gonum.org/v1/gonum/blas"

	"matmul/internal/level3"
)

// A Backend is what blas64.Use and blas32.Use take: all of gonum's BLAS for
// real matrices.
type Backend interface {
	blas.Float64
	blas.Float32
}

// BLAS returns gonum's BLAS with its matrix products computed by p. After
//
//	blas64.Use(matmul.BLAS(p))
//	blas32.Use(matmul.BLAS(p))
//
// gonum's packages mat and lapack, and whatever else calls blas64 and blas32,
// run on p.
//
// Dgemm and Sgemm are Gemm: their results are by its definition, at every size.
// So are those of Dsymm, Dsyrk and Dsyr2k, as products of the matrices that
// their operands stand for. Dtrmm and Dtrsm are products but for small blocks on
// the diagonal, which are gonum's, as everything else is; likewise for float32.
// Arguments are checked as gonum does, with the same panics. Unlike gonum, a
// product does not skip multipliers that are zero: 0·NaN and 0·Inf are NaN.
//
// The backend is safe for use by many goroutines. It panics with ErrClosed when
// p has been closed: a BLAS cannot return errors.
func BLAS(p *Pool) Backend { return level3.New(productOf[float64](p), productOf[float32](p)) }

// productOf returns Gemm on p, as a BLAS has it.
func productOf[T float32 | float64](p *Pool) level3.Gemm[T] {
	return func(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
		if err := Gemm(context.Background(), p, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc); err != nil {
			panic(err)
		}
	}
}
