package matmul

import (
	"context"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"

	"matmul/internal/gemm"
	"matmul/internal/threads"
	"matmul/tiling"
)

// Gemm computes C = alpha·op(A)·op(B) + beta·C, where op(X) is X or, under
// blas.Trans and blas.ConjTrans, its transpose. op(A) is m×k, op(B) is k×n and
// C is m×n.
//
// Matrices are row-major: element (i, j) of A is a[i*lda+j]. What lies between
// the end of a row and the next is neither read nor written. C must not
// overlap A or B.
//
// With beta = 0 C is not read; with alpha = 0 or k = 0 A and B are not. Each
// element of C is a chain of fused multiply-adds in the order of k, so its bits
// depend on the operands alone; NaN and infinities go through.
//
// The error is ErrClosed or the cause of ctx, which is looked at before every
// tile of C: after the latter, some tiles of C are written and others are not.
// Arguments that gonum's Dgemm panics at make Gemm panic with the same text.
func Gemm[T float32 | float64](ctx context.Context, p *Pool, tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) error {
	checkGemm(tA, tB, m, n, k, len(a), lda, len(b), ldb, len(c), ldc)
	if err := p.usable(ctx); err != nil || m == 0 || n == 0 {
		return err
	}
	if alpha == 0 {
		k = 0
	}
	if k == 0 && beta == 1 {
		return nil
	}
	return multiply(ctx, p, gemm.Tile[T]{
		A:  operand(a, lda, tA == blas.NoTrans, m, k, alpha),
		B:  operand(b, ldb, tB != blas.NoTrans, n, k, 1),
		I1: m, J1: n,
		C: c, LDC: ldc, C0: c, LDC0: ldc, Beta: beta,
	})
}

// usable returns an error unless p can be used and ctx has not ended.
func (p *Pool) usable(ctx context.Context) error {
	if p.closed.Load() {
		return ErrClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// operand describes op(A), or op(B)ᵀ, of which lanes are the rows. byLanes says
// that the depths of a lane lie next to each other.
func operand[T float32 | float64](data []T, ld int, byLanes bool, lanes, depth int, scale T) (o gemm.Operand[T]) {
	o.Packed = gemm.Panels[T]{Lanes: lanes, Depth: depth}
	o.Scale = scale
	o.Stored = gemm.Source[T]{Data: data, LaneStride: 1, DepthStride: ld}
	if byLanes {
		o.Stored.LaneStride, o.Stored.DepthStride = ld, 1
	}
	return o
}

// multiply does a product where it is done best.
func multiply[T float32 | float64](ctx context.Context, p *Pool, x gemm.Tile[T]) error {
	ar := arithmeticOf[T](p)
	if threads.Small(tiling.Problem{M: int64(x.I1), N: int64(x.J1), K: int64(x.A.Packed.Depth)}) {
		threads.Alone(p.team, ar.kernel, ar.blocking, x)
		p.count.small.Add(1)
		return nil
	}
	return divide(ctx, p, x)
}

// divide has the workers do a product.
func divide[T float32 | float64](ctx context.Context, p *Pool, x gemm.Tile[T]) error {
	if err := p.begin(); err != nil {
		return err
	}
	defer p.end()
	did, err := byProcesses(ctx, p, &x)
	if did {
		return counted(&p.count.processes, err)
	}
	ar := arithmeticOf[T](p)
	return counted(&p.count.threads, threads.Multiply(ctx, p.team, ar.kernel, ar.blocking, x))
}

// counted adds one to a counter unless there is an error.
func counted(c *atomic.Uint64, err error) error {
	if err == nil {
		c.Add(1)
	}
	return err
}

// The texts of gonum's panics.
const (
	badTranspose = "blas: illegal transpose"
	mLT0         = "blas: m < 0"
	nLT0         = "blas: n < 0"
	kLT0         = "blas: k < 0"
	badLdA       = "blas: bad leading dimension of A"
	badLdB       = "blas: bad leading dimension of B"
	badLdC       = "blas: bad leading dimension of C"
	shortA       = "blas: insufficient length of a"
	shortB       = "blas: insufficient length of b"
	shortC       = "blas: insufficient length of c"
)

// checkGemm panics as gonum's Dgemm does, in the same order.
func checkGemm(tA, tB blas.Transpose, m, n, k, lenA, lda, lenB, ldb, lenC, ldc int) {
	rowsA, colsA := stored(tA, m, k)
	rowsB, colsB := stored(tB, k, n)
	switch {
	case m < 0:
		panic(mLT0)
	case n < 0:
		panic(nLT0)
	case k < 0:
		panic(kLT0)
	case lda < max(1, colsA):
		panic(badLdA)
	case ldb < max(1, colsB):
		panic(badLdB)
	case ldc < max(1, n):
		panic(badLdC)
	case m == 0 || n == 0:
	case lenA < (rowsA-1)*lda+colsA:
		panic(shortA)
	case lenB < (rowsB-1)*ldb+colsB:
		panic(shortB)
	case lenC < (m-1)*ldc+n:
		panic(shortC)
	}
}

// stored returns the rows and columns in which a matrix is stored whose op is
// rows×cols.
func stored(t blas.Transpose, rows, cols int) (int, int) {
	switch t {
	case blas.NoTrans:
		return rows, cols
	case blas.Trans, blas.ConjTrans:
		return cols, rows
	}
	panic(badTranspose)
}
