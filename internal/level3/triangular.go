package level3

import (
	"gonum.org/v1/gonum/blas"

	"matmul/internal/elem"
)

// blocked reports whether a Trmm or Trsm is one to be cut. Others are gonum's:
// arguments that it panics at, and what is small, empty, or not computed.
func (e *engine[T]) blocked(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int) bool {
	k := order(s, m, n)
	return k > e.leaf && min(m, n) > 0 && alpha != 0 &&
		validSide(s) && validUplo(ul) && validTranspose(tA) && validDiag(d) &&
		fits(k, k, lda, len(a)) && fits(m, n, ldb, len(b))
}

// A halving is op(A) cut in two, and B with it:
//
//	op(A) = (A11  0 ) or (A11 A12),  B = (B1) if A is on the left, (B1 B2) else.
//	        (A21 A22)    ( 0  A22)       (B2)
//
// One half of B depends on both halves of B through the block off the diagonal;
// the other one on itself alone.
type halving[T elem.Float] struct {
	both, self part[T]
	off        []T // the block off the diagonal, stored as A is
}

// A part is a diagonal block of A with the half of B that belongs to it.
type part[T elem.Float] struct {
	m, n int
	a, b []T
}

// halve cuts a triangular matrix of order k and B, m×n.
func (e *engine[T]) halve(s blas.Side, ul blas.Uplo, tA blas.Transpose, m, n int, a []T, lda int, b []T, ldb int) (h halving[T]) {
	k := order(s, m, n)
	k1 := half(k, e.leaf)
	first, second := part[T]{k1, n, a, b}, part[T]{k - k1, n, a[k1*lda+k1:], nil}
	if s == blas.Left {
		second.b = b[k1*ldb:]
	} else {
		first.m, first.n, second.m, second.n = m, k1, m, k-k1
		second.b = b[k1:]
	}
	h.off = a[k1:]
	if ul == blas.Lower {
		h.off = a[k1*lda:]
	}
	below := (ul == blas.Lower) == (tA == blas.NoTrans) // op(A) is lower triangular
	h.both, h.self = first, second
	if below == (s == blas.Left) {
		h.both, h.self = second, first
	}
	return h
}

// add does both = alpha·off·self + beta·both, or with off on the right.
func (e *engine[T]) add(h *halving[T], s blas.Side, tA blas.Transpose, alpha T, lda, ldb int, beta T) {
	x, y := &h.both, &h.self
	if s == blas.Left {
		e.gemm(tA, blas.NoTrans, x.m, x.n, y.m, alpha, h.off, lda, y.b, ldb, beta, x.b, ldb)
	} else {
		e.gemm(blas.NoTrans, tA, x.m, x.n, y.n, alpha, y.b, ldb, h.off, lda, beta, x.b, ldb)
	}
}

// doTrmm is gonum's Trmm.
func (e *engine[T]) doTrmm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int) {
	if !e.blocked(s, ul, tA, d, m, n, alpha, a, lda, b, ldb) {
		e.trmm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
		return
	}
	h := e.halve(s, ul, tA, m, n, a, lda, b, ldb)
	x, y := &h.both, &h.self
	e.doTrmm(s, ul, tA, d, x.m, x.n, alpha, x.a, lda, x.b, ldb)
	e.add(&h, s, tA, alpha, lda, ldb, 1)
	e.doTrmm(s, ul, tA, d, y.m, y.n, alpha, y.a, lda, y.b, ldb)
}

// doTrsm is gonum's Trsm.
func (e *engine[T]) doTrsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int) {
	if !e.blocked(s, ul, tA, d, m, n, alpha, a, lda, b, ldb) {
		e.trsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
		return
	}
	h := e.halve(s, ul, tA, m, n, a, lda, b, ldb)
	x, y := &h.both, &h.self
	e.doTrsm(s, ul, tA, d, y.m, y.n, alpha, y.a, lda, y.b, ldb)
	e.add(&h, s, tA, -1, lda, ldb, alpha)
	e.doTrsm(s, ul, tA, d, x.m, x.n, 1, x.a, lda, x.b, ldb)
}
