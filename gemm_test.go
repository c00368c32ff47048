package matmul_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"matmul"
	"matmul/internal/gemm"
)

type element interface{ float32 | float64 }

// newPool opens a pool that is closed at the end of the test.
func newPool(t testing.TB, options ...matmul.Option) *matmul.Pool {
	t.Helper()
	p, err := matmul.New(context.Background(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close pool: %v", err)
		}
	})
	return p
}

// limited returns a context after which a test has hung.
func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("the test hung"))
	t.Cleanup(cancel)
	return ctx
}

// A call is one of Gemm, with operands in the middle of larger slices.
type call[T element] struct {
	tA, tB        blas.Transpose
	m, n, k       int
	alpha, beta   T
	a, b, c       []T
	lda, ldb, ldc int
}

func (x *call[T]) String() string {
	return fmt.Sprintf("%T %c%c m=%d n=%d k=%d alpha=%v beta=%v lda=%d ldb=%d ldc=%d",
		x.alpha, x.tA, x.tB, x.m, x.n, x.k, x.alpha, x.beta, x.lda, x.ldb, x.ldc)
}

func (x *call[T]) gemm(ctx context.Context, p *matmul.Pool) error {
	return matmul.Gemm(ctx, p, x.tA, x.tB, x.m, x.n, x.k, x.alpha, x.a, x.lda, x.b, x.ldb, x.beta, x.c, x.ldc)
}

func pick[E any](r *rand.Rand, xs ...E) E { return xs[r.IntN(len(xs))] }

// A maker makes the memory of a matrix: on the heap, or in a segment.
type maker[T element] func(rows, cols int) []T

func onHeap[T element](rows, cols int) []T { return make([]T, rows*cols) }

// newCall returns a call with random operands in memory of the given kind.
func newCall[T element](r *rand.Rand, m, n, k int, mem maker[T]) *call[T] {
	trans := []blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}
	x := &call[T]{
		tA: pick(r, trans...), tB: pick(r, trans...), m: m, n: n, k: k,
		alpha: pick[T](r, 1, 1, 1.3, -1, 0), beta: pick[T](r, 0, 0, 1, 0.7, -1),
	}
	value := pick(r, ordinary, ordinary, extreme)
	x.a, x.lda = newMatrix(r, value, x.tA, m, k, mem)
	x.b, x.ldb = newMatrix(r, value, x.tB, k, n, mem)
	x.c, x.ldc = newMatrix(r, value, blas.NoTrans, m, n, mem)
	if x.beta == 0 && r.IntN(2) == 0 {
		fill(x.c, T(math.NaN())) // is not read
	}
	return x
}

func ordinary(r *rand.Rand) float64 { return r.Float64()*2 - 1 }

// extreme overflows and underflows in float32 and has NaN, Inf and zeros.
func extreme(r *rand.Rand) float64 {
	return pick(r, math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e38, 1e-45,
		r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64())
}

func fill[T element](s []T, v T) {
	for i := range s {
		s[i] = v
	}
}

// newMatrix returns memory whose op is rows×cols, somewhere in a larger matrix,
// with a leading dimension that may be longer than a row.
func newMatrix[T element](r *rand.Rand, value func(*rand.Rand) float64, t blas.Transpose, rows, cols int, mem maker[T]) ([]T, int) {
	if t != blas.NoTrans {
		rows, cols = cols, rows
	}
	ld := max(1, cols+pick(r, 0, 0, 1, 7))
	skip := pick(r, 0, 0, 1, 5)
	s := mem(rows+1, ld+skip)
	for i := range s {
		s[i] = T(value(r))
	}
	s = s[skip:]
	if rows == 0 {
		return s[:0], ld
	}
	return s[: (rows-1)*ld+cols : (rows-1)*ld+cols], ld
}

// definition returns what C is after the call: by the triple loop, and what
// lies between its rows as it was.
func (x *call[T]) definition() []T {
	strides := func(t blas.Transpose, ld int) (int, int) {
		if t == blas.NoTrans {
			return ld, 1
		}
		return 1, ld
	}
	ar, ac := strides(x.tA, x.lda)
	br, bc := strides(x.tB, x.ldb)
	want := append([]T(nil), x.c...)
	gemm.Reference(gemm.Problem[T]{
		M: x.m, N: x.n, K: x.k, Alpha: x.alpha, Beta: x.beta, C: want, LDC: x.ldc,
		A:  gemm.Matrix[T]{Data: x.a, RowStride: ar, ColStride: ac},
		B:  gemm.Matrix[T]{Data: x.b, RowStride: br, ColStride: bc},
		C0: gemm.Matrix[T]{Data: append([]T(nil), x.c...), RowStride: x.ldc, ColStride: 1},
	})
	return want
}

// same reports whether two elements have the same bits, or are both NaN.
func same[T element](x, y T) bool {
	if x != x || y != y {
		return x != x && y != y
	}
	return math.Float64bits(float64(x)) == math.Float64bits(float64(y))
}

// differ returns the first index at which two slices are not the same, −1 if
// there is none.
func differ[T element](got, want []T) int {
	for i := range want {
		if !same(got[i], want[i]) {
			return i
		}
	}
	return -1
}

// check does a call and compares every bit of C.
func (x *call[T]) check(t testing.TB, p *matmul.Pool) {
	t.Helper()
	want := x.definition()
	if err := x.gemm(limited(t), p); err != nil {
		t.Fatalf("%v: %v", x, err)
	}
	if i := differ(x.c, want); i >= 0 {
		t.Fatalf("%v: C[%d,%d] = %x, want %x", x, i/x.ldc, i%x.ldc, x.c[i], want[i])
	}
}

// randomShape is small for most, and now and then worth dividing.
func randomShape(r *rand.Rand) (m, n, k int) {
	switch r.IntN(20) {
	case 0:
		return 150 + r.IntN(100), 150 + r.IntN(100), 150 + r.IntN(100)
	case 1: // one side long
		s := []int{1 + r.IntN(40), 1 + r.IntN(40), 1 + r.IntN(40)}
		s[r.IntN(3)] = 1000 + r.IntN(5000)
		return s[0], s[1], s[2]
	case 2:
		return r.IntN(3), r.IntN(3), r.IntN(3)
	}
	side := 1 + r.IntN(90)
	return r.IntN(side), r.IntN(side), r.IntN(side)
}

func TestGemmIsTheDefinition(t *testing.T) {
	t.Run("float64", testDefinition[float64])
	t.Run("float32", testDefinition[float32])
}

func testDefinition[T element](t *testing.T) {
	p := newPool(t, matmul.WithWorkers(3))
	for seed := range shapes() {
		r := rand.New(rand.NewPCG(1, uint64(seed)))
		m, n, k := randomShape(r)
		newCall[T](r, m, n, k, onHeap).check(t, p)
	}
	if s := p.Stats(); s.Small == 0 || s.Threads == 0 {
		t.Errorf("not every way was taken: %+v", s)
	}
}

// Whoever multiplies at the same time as others gets the same bits.
func TestConcurrentCallersGetTheSameBits(t *testing.T) {
	p := newPool(t, matmul.WithWorkers(2))
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(caller)))
			for _, side := range []int{20, 130, 200, 60, 170} {
				x := newCall[float64](r, side, side+r.IntN(9), side+r.IntN(9), onHeap)
				y := newCall[float32](r, side, side+r.IntN(9), side+r.IntN(9), onHeap)
				wantX, wantY := x.definition(), y.definition()
				if err := errors.Join(x.gemm(limited(t), p), y.gemm(limited(t), p)); err != nil {
					t.Error(err)
				}
				if differ(x.c, wantX) >= 0 || differ(y.c, wantY) >= 0 {
					t.Errorf("caller %d: wrong product of order %d", caller, side)
				}
			}
		})
	}
	callers.Wait()
}

// strips is a product of eight tiles, one above the other, for one worker.
func strips() *call[float64] {
	const rows, tiles = 1024, 8
	r := rand.New(rand.NewPCG(3, 0))
	x := &call[float64]{tA: blas.NoTrans, tB: blas.NoTrans, m: rows * tiles, n: 64, k: 8, alpha: 1, lda: 8, ldb: 64, ldc: 64}
	x.a, x.b, x.c = make([]float64, x.m*x.k), make([]float64, x.k*x.n), make([]float64, x.m*x.n)
	for _, s := range [][]float64{x.a, x.b} {
		for i := range s {
			s[i] = ordinary(r)
		}
	}
	fill(x.c, 7)
	return x
}

// A dying context ends when it has been looked at so many times.
type dying struct {
	context.Context
	mu    sync.Mutex
	looks int
	end   context.CancelCauseFunc
}

var errDied = errors.New("the caller lost interest")

func newDying(t testing.TB, looks int) *dying {
	ctx, cancel := context.WithCancelCause(t.Context())
	return &dying{Context: ctx, looks: looks, end: cancel}
}

func (d *dying) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.looks--; d.looks < 0 {
		d.end(errDied)
	}
	return d.Context.Err()
}

func TestACancelledContextStopsAtTheNextTile(t *testing.T) {
	p := newPool(t, matmul.WithWorkers(1))
	x := strips()
	want := x.definition()
	if err := x.gemm(newDying(t, 1+3), p); !errors.Is(err, errDied) {
		t.Fatalf("got %v, want the cause of the context", err)
	}
	done := 3 * 1024 * x.n
	if i := differ(x.c[:done], want[:done]); i >= 0 {
		t.Errorf("C[%d,%d] was not computed before the context ended", i/x.n, i%x.n)
	}
	for i, c := range x.c[done:] {
		if c != 7 {
			t.Fatalf("C[%d,%d] was written after the context ended", (done+i)/x.n, i%x.n)
		}
	}
	x.check(t, p) // the pool is as good as new
}

func TestAnEndedContextLeavesCAlone(t *testing.T) {
	p := newPool(t)
	for _, side := range []int{4, 200} {
		x := newCall[float64](rand.New(rand.NewPCG(4, 0)), side, side, side, onHeap)
		was := append([]float64(nil), x.c...)
		if err := x.gemm(newDying(t, 0), p); !errors.Is(err, errDied) {
			t.Errorf("order %d: got %v, want the cause of the context", side, err)
		}
		if i := differ(x.c, was); i >= 0 {
			t.Errorf("order %d: C was written", side)
		}
	}
	if _, err := matmul.New(newDying(t, 0)); !errors.Is(err, errDied) {
		t.Errorf("New: got %v, want the cause of the context", err)
	}
}

func TestCloseWaitsForProductsUnderWay(t *testing.T) {
	p := newPool(t, matmul.WithWorkers(2))
	var callers sync.WaitGroup
	var begun sync.WaitGroup
	for caller := range 4 {
		begun.Add(1)
		callers.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(caller)))
			x := newCall[float64](r, 180, 190, 200, onHeap)
			was, want := append([]float64(nil), x.c...), x.definition()
			for first := true; ; first = false {
				copy(x.c, was)
				err := x.gemm(limited(t), p)
				if first {
					begun.Done()
				}
				if errors.Is(err, matmul.ErrClosed) {
					if differ(x.c, was) >= 0 {
						t.Error("a closed pool wrote C")
					}
					return
				}
				if err != nil || differ(x.c, want) >= 0 {
					t.Errorf("wrong product while the pool was closed (%v)", err)
					return
				}
			}
		})
	}
	begun.Wait()
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	callers.Wait()
	small := newCall[float64](rand.New(rand.NewPCG(6, 0)), 3, 3, 3, onHeap)
	if err := small.gemm(limited(t), p); !errors.Is(err, matmul.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	if _, err := p.NewDense(2, 2); !errors.Is(err, matmul.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		p := newPool(t, matmul.WithWorkers(4))
		newCall[float64](rand.New(rand.NewPCG(7, 0)), 200, 200, 200, onHeap).check(t, p)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, "goroutines", before, runtime.NumGoroutine)
}

// settle waits until a count is down to want again, and fails with the stacks
// of all goroutines if it never is.
func settle(t testing.TB, what string, want int, count func() int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); count() > want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d %s, were %d\n%s", count(), what, want, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// What gonum's Dgemm takes for a bug, Gemm does, with the same text.
func TestBadArgumentsPanicAsGonumDoes(t *testing.T) {
	p := newPool(t)
	bad := []struct {
		tA, tB         blas.Transpose
		m, n, k        int
		a, lda, b, ldb int
		c, ldc         int
	}{
		{tA: 'x', tB: 'N', lda: 1, ldb: 1, ldc: 1},
		{tA: 'N', tB: 0, lda: 1, ldb: 1, ldc: 1},
		{tA: 'N', tB: 'N', m: -1, lda: 1, ldb: 1, ldc: 1},
		{tA: 'N', tB: 'N', n: -1, lda: 1, ldb: 1, ldc: 1},
		{tA: 'N', tB: 'N', k: -1, lda: 1, ldb: 1, ldc: 1},
		{tA: 'N', tB: 'N', lda: 0, ldb: 1, ldc: 1},
		{tA: 'N', tB: 'N', m: 2, n: 3, k: 4, a: 8, lda: 3, b: 12, ldb: 3, c: 6, ldc: 3},
		{tA: 'T', tB: 'N', m: 2, n: 3, k: 4, a: 8, lda: 1, b: 12, ldb: 3, c: 6, ldc: 3},
		{tA: 'N', tB: 'N', m: 2, n: 3, k: 4, a: 8, lda: 4, b: 12, ldb: 2, c: 6, ldc: 3},
		{tA: 'N', tB: 'C', m: 2, n: 3, k: 4, a: 8, lda: 4, b: 12, ldb: 3, c: 6, ldc: 3},
		{tA: 'N', tB: 'N', m: 2, n: 3, k: 4, a: 8, lda: 4, b: 12, ldb: 3, c: 6, ldc: 2},
		{tA: 'N', tB: 'N', m: 2, n: 3, k: 4, a: 7, lda: 4, b: 12, ldb: 3, c: 6, ldc: 3},
		{tA: 'C', tB: 'N', m: 2, n: 3, k: 4, a: 7, lda: 2, b: 12, ldb: 3, c: 6, ldc: 3},
		{tA: 'N', tB: 'N', m: 2, n: 3, k: 4, a: 8, lda: 4, b: 11, ldb: 3, c: 6, ldc: 3},
		{tA: 'N', tB: 'T', m: 2, n: 3, k: 4, a: 8, lda: 4, b: 11, ldb: 4, c: 6, ldc: 3},
		{tA: 'N', tB: 'N', m: 2, n: 3, k: 4, a: 8, lda: 4, b: 12, ldb: 3, c: 5, ldc: 3},
		{tA: 'N', tB: 'N', m: 2, n: 3, k: 0, a: 0, lda: 4, b: 0, ldb: 3, c: 5, ldc: 3},
	}
	for _, x := range bad {
		a, b, c := make([]float64, x.a), make([]float64, x.b), make([]float64, x.c)
		want := panicOf(func() {
			gonum.Implementation{}.Dgemm(x.tA, x.tB, x.m, x.n, x.k, 1, a, x.lda, b, x.ldb, 0, c, x.ldc)
		})
		got := panicOf(func() {
			matmul.Gemm(t.Context(), p, x.tA, x.tB, x.m, x.n, x.k, 1, a, x.lda, b, x.ldb, 0, c, x.ldc)
		})
		if want == nil || got != want {
			t.Errorf("%+v: panic %v, gonum's is %v", x, got, want)
		}
	}
}

// panicOf returns what f panics with, nil if it does not.
func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}
