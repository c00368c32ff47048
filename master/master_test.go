package master_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
	"matmul/worker"
)

func TestMain(m *testing.M) {
	worker.Main()
	os.Exit(m.Run())
}

// processes is shared: its goroutine never ends.
var processes = worker.NewProcesses()

// engine is a way to run a pool.
type engine struct {
	name    string
	starter shmmat.Starter
	kind    shmmat.Kind
}

func engines() []engine {
	es := []engine{{"threads", worker.Threads{}, shmmat.Heap}}
	for _, k := range shmmat.Shared() {
		es = append(es, engine{"processes/" + k.String(), processes, k})
	}
	return es
}

// limited returns a context after which a test has hung.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("the test hung"))
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, e engine, workers int) *master.Pool {
	t.Helper()
	p, err := master.New(master.Config{Workers: workers, Starter: e.starter, Kind: e.kind, Dir: t.TempDir(), Yield: true})
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

// product is a problem with random operands in files and in memory, and the
// C that the definition gives.
type product[T elem.Float] struct {
	m, n, k        int
	alpha, beta    T
	transA, transB bool
	a, b, c0, want []T
}

func random[T elem.Float](m, n, k int, alpha, beta T, transA, transB bool) *product[T] {
	rng := rand.New(rand.NewPCG(1, uint64(m*n*k)))
	fill := func(n int) []T {
		s := make([]T, n)
		for i := range s {
			s[i] = T(rng.Float64()*2 - 1)
		}
		return s
	}
	p := &product[T]{m: m, n: n, k: k, alpha: alpha, beta: beta, transA: transA, transB: transB,
		a: fill(m * k), b: fill(k * n), c0: fill(m * n), want: make([]T, m*n)}
	ref := gemm.Problem[T]{M: m, N: n, K: k, Alpha: alpha, Beta: beta, C: p.want, LDC: max(n, 1),
		A:  gemm.Matrix[T]{Data: p.a, RowStride: k, ColStride: 1},
		B:  gemm.Matrix[T]{Data: p.b, RowStride: n, ColStride: 1},
		C0: gemm.Matrix[T]{Data: p.c0, RowStride: n, ColStride: 1}}
	if transA {
		ref.A.RowStride, ref.A.ColStride = 1, m
	}
	if transB {
		ref.B.RowStride, ref.B.ColStride = 1, k
	}
	gemm.Reference(ref)
	return p
}

// stored returns the view of a rows×cols operand that may be stored transposed.
func stored[T elem.Float](rows, cols int, trans bool) shmmat.Matrix {
	m := shmmat.Matrix{Rows: int64(rows), Cols: int64(cols), LD: int64(cols), Type: elem.Of[T]()}
	if trans {
		m.LD, m.Order = int64(rows), shmmat.ColMajor
	}
	return m
}

func (p *product[T]) spec(t *testing.T, isa gemm.ISA) master.Spec {
	k, err := gemm.Lookup(isa, elem.Of[T]())
	if err != nil {
		t.Fatal(err)
	}
	return master.Spec{Type: elem.Of[T](), Alpha: float64(p.alpha), Beta: float64(p.beta), Kernel: k,
		A:  master.Operand{Matrix: stored[T](p.m, p.k, p.transA)},
		B:  master.Operand{Matrix: stored[T](p.k, p.n, p.transB)},
		C0: master.Operand{Matrix: stored[T](p.m, p.n, false)}}
}

// inMemory runs the product on operands in the segment.
func (p *product[T]) inMemory(t *testing.T, ctx context.Context, pool *master.Pool, s master.Spec) []T {
	t.Helper()
	do(t, ctx, pool, s, func() {
		for r, data := range map[shmmat.Region][]T{shmmat.RowsA: p.a, shmmat.RowsB: p.b, shmmat.InitC: p.c0} {
			if r == shmmat.InitC && p.beta == 0 {
				continue
			}
			mem, err := master.Elements[T](pool, r)
			if err != nil {
				t.Fatal(err)
			}
			copy(mem, data)
		}
	})
	c, err := master.Elements[T](pool, shmmat.C)
	if err != nil {
		t.Fatal(err)
	}
	return append([]T(nil), c[:p.m*p.n]...)
}

func prepare(t *testing.T, ctx context.Context, pool *master.Pool, s master.Spec) *master.Job {
	t.Helper()
	plan, err := master.NewPlan(s, pool.Workers())
	if err != nil {
		t.Fatal(err)
	}
	j, err := pool.Prepare(ctx, plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// file writes s to a file, behind some bytes that are not of the matrix.
func file[T elem.Float](t *testing.T, name string, s []T) (*os.File, int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	const offset = 13
	if err := os.WriteFile(path, append(make([]byte, offset), elem.Bytes(s)...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, offset
}

// fromFiles runs the product from files to a file.
func (p *product[T]) fromFiles(t *testing.T, ctx context.Context, pool *master.Pool, s master.Spec) []T {
	t.Helper()
	s.A.File, s.A.Offset = file(t, "a", p.a)
	s.B.File, s.B.Offset = file(t, "b", p.b)
	s.C0.File, s.C0.Offset = file(t, "c0", p.c0)
	s.Out.File, s.Out.Offset = file(t, "c", make([]T, p.m*p.n))
	do(t, ctx, pool, s, nil)
	got := make([]T, p.m*p.n)
	if _, err := s.Out.File.ReadAt(elem.Bytes(got), s.Out.Offset); err != nil && len(got) > 0 {
		t.Fatal(err)
	}
	return got
}

func same[T elem.Float](t *testing.T, got, want []T) {
	t.Helper()
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if math.Float64bits(g) != math.Float64bits(w) && !(g != g && w != w) {
			t.Fatalf("element %d: got %v, want %v", i, g, w)
		}
	}
}

func everywhere[T elem.Float](t *testing.T, pool *master.Pool) {
	ctx := limited(t)
	for _, c := range []struct {
		m, n, k        int
		alpha, beta    T
		transA, transB bool
	}{
		{61, 101, 75, 1, 0, false, false},
		{61, 101, 75, 1.3, 0.7, true, false},
		{61, 101, 75, 1.3, 0.7, false, true},
		{201, 99, 301, 1.3, 0.7, true, true},
		{1, 1, 1, 1, 0, false, false}, {0, 5, 3, 1, 1, false, false}, {5, 0, 3, 1, 1, false, false},
		{5, 3, 0, 1, 0.5, false, false}, {5, 3, 7, 0, 0.5, false, false}, {1, 3000, 2, 1, 0, false, false},
	} {
		p := random(c.m, c.n, c.k, c.alpha, c.beta, c.transA, c.transB)
		for _, isa := range gemm.Supported() {
			s := p.spec(t, isa)
			s.TileM, s.TileN, s.Slice = 24, 48, 500
			s.Wrong = func(w master.Wrong) { t.Error(&w) }
			for _, s.ABFT = range []bool{false, true} {
				same(t, p.inMemory(t, ctx, pool, s), p.want)
				same(t, p.fromFiles(t, ctx, pool, s), p.want)
			}
		}
	}
}

func TestEveryEngineGivesTheBitsOfTheDefinition(t *testing.T) {
	for _, e := range engines() {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/%d", e.name, workers), func(t *testing.T) {
				pool := open(t, e, workers)
				t.Run("float64", func(t *testing.T) { everywhere[float64](t, pool) })
				t.Run("float32", func(t *testing.T) { everywhere[float32](t, pool) })
			})
		}
	}
}

func TestKilledWorkersAreReplacedAndTheirTasksDoneAgain(t *testing.T) {
	ctx := limited(t)
	pool := open(t, engine{"", processes, shmmat.Memfd}, 3)
	p := random[float64](301, 203, 99, 1.3, 0.7, false, false)
	s := p.spec(t, gemm.Auto)
	s.TileM, s.TileN, s.Slice = 8, 24, 200
	stop := make(chan struct{})
	killed := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				killed <- n
				return
			case <-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond):
			}
			// One that is at work: with the race detector, starting takes longer
			// than workers would be given.
			i := rand.IntN(3)
			a, ok := pool.Board().Activity(i)
			if pid := pool.Pids()[i]; ok && a.Job != 0 && pid > 0 {
				syscall.Kill(pid, syscall.SIGKILL)
				n++
			}
		}
	}()
	for job := 0; job < 10 || pool.Deaths() == 0; job++ { // chance decides when one is hit
		same(t, p.fromFiles(t, ctx, pool, s), p.want)
	}
	close(stop)
	n := <-killed
	t.Logf("%d kills, %d deaths seen", n, pool.Deaths())
	if n == 0 || pool.Deaths() == 0 {
		t.Error("no worker was killed: the test shows nothing")
	}
}

func TestCancellingDoesNotWaitForALongTask(t *testing.T) {
	pool := open(t, engine{"", processes, shmmat.Memfd}, 2)
	const n = 2000 // one tile each of the portable kernel: several seconds
	p := &product[float64]{m: n, n: n, k: n, alpha: 1, a: make([]float64, n*n), b: make([]float64, n*n)}
	s := p.spec(t, gemm.Generic)
	j := prepare(t, limited(t), pool, s)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for { // until both workers multiply
			a, ok := pool.Board().Activity(0)
			b, ok2 := pool.Board().Activity(1)
			if ok && ok2 && a.Kind == tiling.Multiply && b.Kind == tiling.Multiply {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel(stop)
	}()
	if _, err := j.Run(ctx); !errors.Is(err, stop) {
		t.Errorf("got %v, want the context's cause", err)
	}
	if pool.Deaths() != 2 {
		t.Errorf("%d workers were killed, want 2", pool.Deaths())
	}
	small := random[float64](61, 101, 75, 1, 0, false, false)
	same(t, small.inMemory(t, limited(t), pool, small.spec(t, gemm.Auto)), small.want)
}

func TestDoGivesTheBitsOfTheDefinitionForSmallAndLargeJobs(t *testing.T) {
	pool := open(t, engine{"", processes, shmmat.Memfd}, 2)
	ctx := limited(t)
	for _, n := range []int{0, 1, 7, 64, 65, 150, 300, 3} { // alone, with a worker; growing, then in what is there
		p := random[float64](n, n+1, n+2, 1, 0.7, n%2 == 0, n%3 == 0)
		s := p.spec(t, gemm.Auto)
		prepare(t, ctx, pool, s).Close() // makes the room
		for r, data := range map[shmmat.Region][]float64{shmmat.RowsA: p.a, shmmat.RowsB: p.b, shmmat.InitC: p.c0} {
			mem, err := master.Elements[float64](pool, r)
			if err != nil {
				t.Fatal(err)
			}
			copy(mem, data)
		}
		if _, err := pool.Do(ctx, s); err != nil {
			t.Fatal(err)
		}
		c, err := master.Elements[float64](pool, shmmat.C)
		if err != nil {
			t.Fatal(err)
		}
		same(t, c[:p.m*p.n], p.want)
	}
}

func TestAJobWithoutTasksCostsNoWorker(t *testing.T) {
	pool := open(t, engine{"", processes, shmmat.Memfd}, 2)
	ctx := limited(t)
	for _, m := range []int{20, 0, 20} { // files that nobody was told of are closed
		p := random[float64](m, 30, 10, 1, 0, false, false)
		dir := t.TempDir()
		f := toFiles(t, dir, p, p.spec(t, gemm.Auto))
		f.run(t, ctx, pool)
		f.close()
	}
	if pool.Deaths() > 0 {
		t.Errorf("%d workers died", pool.Deaths())
	}
}
