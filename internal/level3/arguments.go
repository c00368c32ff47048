package level3

import (
	"gonum.org/v1/gonum/blas"

	"matmul/internal/elem"
)

// The functions of this file tell what is to be computed here from what is left
// to gonum: arguments that it panics at, so that its checks and texts are the
// only ones, and results for which no product is needed.

// pays reports whether a product of m×n×k, none of them 0, is worth making
// matrices whole for.
func (e *engine[T]) pays(m, n, k int) bool {
	return float64(m)*float64(n)*float64(k) >= float64(e.least)
}

// symmComputes reports whether a Symm is a product of operands in order.
func (e *engine[T]) symmComputes(s blas.Side, ul blas.Uplo, m, n int, alpha T, a []T, lda int, b []T, ldb int, c []T, ldc int) bool {
	k := order(s, m, n)
	return validSide(s) && validUplo(ul) && min(m, n) > 0 && alpha != 0 && e.pays(m, n, k) &&
		fits(k, k, lda, len(a)) && fits(m, n, ldb, len(b)) && fits(m, n, ldc, len(c))
}

// syrkComputes reports whether a Syrk or Syr2k is a product, and C in order.
func (e *engine[T]) syrkComputes(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, c []T, ldc int) bool {
	return validUplo(ul) && validTranspose(t) && min(n, k) > 0 && alpha != 0 && e.pays(n, n, k) && fits(n, n, ldc, len(c))
}

// lanesFit reports whether op(A) is n×k.
func lanesFit[T elem.Float](t blas.Transpose, n, k int, a []T, lda int) bool {
	if t == blas.NoTrans {
		return fits(n, k, lda, len(a))
	}
	return fits(k, n, lda, len(a))
}

// fits reports whether a matrix of rows×cols, both at least 1, lies in length
// elements, ld apart.
func fits(rows, cols, ld, length int) bool {
	return cols <= ld && cols <= length && (length-cols)/ld >= rows-1
}

// order returns the order of the square operand of an m×n matrix.
func order(s blas.Side, m, n int) int {
	if s == blas.Left {
		return m
	}
	return n
}

func validSide(s blas.Side) bool { return s == blas.Left || s == blas.Right }

func validUplo(ul blas.Uplo) bool { return ul == blas.Upper || ul == blas.Lower }

func validTranspose(t blas.Transpose) bool {
	return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

func validDiag(d blas.Diag) bool { return d == blas.Unit || d == blas.NonUnit }
