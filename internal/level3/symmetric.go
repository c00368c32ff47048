package level3

import (
	"gonum.org/v1/gonum/blas"

	"matmul/internal/elem"
)

// symm does gonum's Symm, of arguments that are in order.
func (e *engine[T]) symm(s blas.Side, ul blas.Uplo, m, n int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	k := order(s, m, n)
	if k <= e.square {
		whole := e.take()
		defer e.squares.Put(whole)
		unfold(*whole, ul, k, a, lda)
		if s == blas.Left {
			e.gemm(blas.NoTrans, blas.NoTrans, m, n, k, alpha, *whole, k, b, ldb, beta, c, ldc)
		} else {
			e.gemm(blas.NoTrans, blas.NoTrans, m, n, k, alpha, b, ldb, *whole, k, beta, c, ldc)
		}
		return
	}
	k1 := half(k, e.square)
	k2 := k - k1
	off, below := a[k1:], blas.Trans // the block above the diagonal is stored
	if ul == blas.Lower {
		off, below = a[k1*lda:], blas.NoTrans
	}
	above, a2 := opposite(below), a[k1*lda+k1:]
	if s == blas.Left {
		b2, c2 := b[k1*ldb:], c[k1*ldc:]
		e.symm(s, ul, k1, n, alpha, a, lda, b, ldb, beta, c, ldc)
		e.gemm(above, blas.NoTrans, k1, n, k2, alpha, off, lda, b2, ldb, 1, c, ldc)
		e.gemm(below, blas.NoTrans, k2, n, k1, alpha, off, lda, b, ldb, beta, c2, ldc)
		e.symm(s, ul, k2, n, alpha, a2, lda, b2, ldb, 1, c2, ldc)
		return
	}
	b2, c2 := b[k1:], c[k1:]
	e.symm(s, ul, m, k1, alpha, a, lda, b, ldb, beta, c, ldc)
	e.gemm(blas.NoTrans, below, m, k1, k2, alpha, b2, ldb, off, lda, 1, c, ldc)
	e.gemm(blas.NoTrans, above, m, k2, k1, alpha, b, ldb, off, lda, beta, c2, ldc)
	e.symm(s, ul, m, k2, alpha, a2, lda, b2, ldb, 1, c2, ldc)
}

// syrk does gonum's Syrk, of arguments that are in order.
func (e *engine[T]) syrk(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int) {
	e.onTriangle(ul, n, beta, c, ldc, func(m, n, i, j int, beta T, c []T, ldc int) {
		e.gemm(t, opposite(t), m, n, k, alpha, lanes(t, a, lda, i), lda, lanes(t, a, lda, j), lda, beta, c, ldc)
	})
}

// syr2k does gonum's Syr2k, of arguments that are in order.
func (e *engine[T]) syr2k(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	e.onTriangle(ul, n, beta, c, ldc, func(m, n, i, j int, beta T, c []T, ldc int) {
		e.gemm(t, opposite(t), m, n, k, alpha, lanes(t, a, lda, i), lda, lanes(t, b, ldb, j), ldb, beta, c, ldc)
		e.gemm(t, opposite(t), m, n, k, alpha, lanes(t, b, ldb, i), ldb, lanes(t, a, lda, j), lda, 1, c, ldc)
	})
}

// lanes returns op(A) from row i on.
func lanes[T elem.Float](t blas.Transpose, a []T, lda, i int) []T {
	if t == blas.NoTrans {
		return a[i*lda:]
	}
	return a[i:]
}

// onTriangle calls update for rectangles that make up a triangle of C, n×n:
// m×n elements from row i and column j on, at c. Those on the diagonal lie in a
// square of their own meanwhile, whose other triangle is of no account.
func (e *engine[T]) onTriangle(ul blas.Uplo, n int, beta T, c []T, ldc int, update func(m, n, i, j int, beta T, c []T, ldc int)) {
	var cut func(at, n int)
	cut = func(at, n int) {
		c := c[at*ldc+at:]
		if n <= e.square {
			whole := e.take()
			defer e.squares.Put(whole)
			if beta != 0 {
				copyTriangle(ul, n, *whole, n, c, ldc)
			}
			update(n, n, at, at, beta, *whole, n)
			copyTriangle(ul, n, c, ldc, *whole, n)
			return
		}
		n1 := half(n, e.square)
		cut(at, n1)
		if ul == blas.Lower {
			update(n-n1, n1, at+n1, at, beta, c[n1*ldc:], ldc)
		} else {
			update(n1, n-n1, at, at+n1, beta, c[n1:], ldc)
		}
		cut(at+n1, n-n1)
	}
	cut(0, n)
}

// take returns room for a whole square, of any content.
func (e *engine[T]) take() *[]T {
	if s, ok := e.squares.Get().(*[]T); ok {
		return s
	}
	s := make([]T, e.square*e.square)
	return &s
}

// unfold writes the symmetric matrix of order n, of which a holds a triangle,
// to dst, all of it.
func unfold[T elem.Float](dst []T, ul blas.Uplo, n int, a []T, lda int) {
	copyTriangle(ul, n, dst, n, a, lda)
	for i := range n {
		for j := range i {
			if ul == blas.Lower {
				dst[j*n+i] = dst[i*n+j]
			} else {
				dst[i*n+j] = dst[j*n+i]
			}
		}
	}
}

// copyTriangle copies a triangle of order n, the diagonal included.
func copyTriangle[T elem.Float](ul blas.Uplo, n int, dst []T, ldd int, src []T, lds int) {
	for i := range n {
		from, to := i, n
		if ul == blas.Lower {
			from, to = 0, i+1
		}
		copy(dst[i*ldd+from:i*ldd+to], src[i*lds+from:i*lds+to])
	}
}
