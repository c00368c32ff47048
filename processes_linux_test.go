package matmul_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gonum.org/v1/gonum/mat"

	"matmul"
)

// childrenOf returns the processes whose parent is pid.
func childrenOf(pid int) (children []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		if _, parent := status(dir); parent == pid {
			child, _ := strconv.Atoi(filepath.Base(dir))
			children = append(children, child)
		}
	}
	return children
}

// status returns the state and the parent of a process: proc_pid_stat(5).
func status(dir string) (state string, parent int) {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return "X", 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}

// running returns how many of the processes have not ended. One that nobody
// waits for has.
func running(pids []int) (n int) {
	for _, pid := range pids {
		if state, _ := status(fmt.Sprintf("/proc/%d", pid)); state != "X" && state != "Z" {
			n++
		}
	}
	return n
}

// inSegment returns a maker of memory in shared memory: pieces of a few large
// matrices, in turns. What it made before is no longer valid when it begins
// anew.
func inSegment(t testing.TB, p *matmul.Pool) (mem maker[float64], anew func()) {
	const size = 1 << 20
	var arenas [3][]float64
	for i := range arenas {
		m, err := p.NewDense(1, size)
		if err != nil {
			t.Fatal(err)
		}
		arenas[i] = m.RawMatrix().Data
	}
	next, left := 0, arenas
	anew = func() { next, left = 0, arenas }
	return func(rows, cols int) []float64 {
		a := &left[next%len(left)]
		s := (*a)[: rows*cols : rows*cols]
		*a, next = (*a)[rows*cols:], next+1
		return s
	}, anew
}

func TestProcessesGiveTheDefinition(t *testing.T) {
	p := newPool(t, matmul.WithWorkers(3))
	mem, anew := inSegment(t, p)
	for seed := range shapes() / 2 {
		r := rand.New(rand.NewPCG(11, uint64(seed)))
		m, n, k := randomShape(r)
		anew()
		newCall[float64](r, m, n, k, mem).check(t, p)
	}
	if s := p.Stats(); s.Small == 0 || s.Processes == 0 || s.Threads > 0 {
		t.Errorf("not the ways that were meant: %+v", s)
	}
	r := rand.New(rand.NewPCG(12, 0))
	newCall[float64](r, 200, 200, 200, onHeap).check(t, p)
	newCall[float32](r, 200, 200, 200, onHeap).check(t, p)
	if s := p.Stats(); s.Threads != 2 {
		t.Errorf("2 products on the heap, by goroutines %d", s.Threads)
	}
}

func TestProcessesInIsolationGiveTheDefinition(t *testing.T) {
	p := newPool(t, matmul.WithWorkers(3), matmul.WithIsolation())
	mem, anew := inSegment(t, p)
	for seed := range shapes() / 2 {
		r := rand.New(rand.NewPCG(13, uint64(seed)))
		m, n, k := randomShape(r)
		newCall[float64](r, m, n, k, onHeap).check(t, p)
		newCall[float32](r, m, n, k, onHeap).check(t, p)
		anew()
		newCall[float64](r, m, n, k, mem).check(t, p)
	}
	if s := p.Stats(); s.Small == 0 || s.Processes == 0 || s.Threads > 0 || s.Copied == 0 {
		t.Errorf("not the ways that were meant: %+v", s)
	}
}

func TestProcessesInIsolationLeaveCAloneOnFailure(t *testing.T) {
	p := newPool(t, matmul.WithWorkers(2), matmul.WithIsolation())
	r := rand.New(rand.NewPCG(14, 0))
	x := newCall[float64](r, 400, 310, 320, onHeap)
	was, done := append([]float64(nil), x.c...), x.definition()
	for looks := range 12 {
		copy(x.c, was)
		want, err := was, x.gemm(newDying(t, looks), p)
		if err == nil {
			want = done
		} else if !errors.Is(err, errDied) {
			t.Fatalf("got %v, want the cause of the context", err)
		}
		if i := differ(x.c, want); i >= 0 {
			t.Fatalf("after %d looks at the context (%v) C[%d,%d] is neither", looks, err, i/x.ldc, i%x.ldc)
		}
	}
	newCall[float64](r, 200, 200, 200, onHeap).check(t, p)
}

// A worker that dies costs time and nothing else, in place and in isolation.
func TestProcessesMayDie(t *testing.T) {
	for name, options := range map[string][]matmul.Option{"in the segment": nil, "in isolation": {matmul.WithIsolation()}} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, append(options, matmul.WithWorkers(2))...)
			mem, _ := inSegment(t, p)
			x := newCall[float64](rand.New(rand.NewPCG(15, 0)), 500, 400, 300, mem)
			x.alpha, x.beta = 1, 0.7
			was, want := append([]float64(nil), x.c...), x.definition()
			for ctx := limited(t); p.Stats().Replaced < 6 && ctx.Err() == nil; {
				copy(x.c, was)
				var killer sync.WaitGroup
				killer.Go(func() {
					for _, pid := range childrenOf(os.Getpid()) {
						syscall.Kill(pid, syscall.SIGKILL)
					}
				})
				err := x.gemm(ctx, p)
				killer.Wait()
				if err != nil {
					t.Fatal(err)
				}
				if i := differ(x.c, want); i >= 0 {
					t.Fatalf("C[%d,%d] = %x, want %x", i/x.ldc, i%x.ldc, x.c[i], want[i])
				}
			}
			if s := p.Stats(); s.Replaced < 6 {
				t.Errorf("no 6 workers died: %+v", s)
			}
		})
	}
}

// mappings returns how many segments a process has mapped.
func mappings(pid int) int {
	maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	segments := map[string]bool{}
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) > 5 && strings.Contains(line, "memfd:matmul") {
			segments[f[4]] = true
		}
	}
	return len(segments)
}

func TestProcessesGiveReleasedMemoryBack(t *testing.T) {
	p := newPool(t, matmul.WithWorkers(2))
	const n = 300
	square := func() *mat.Dense {
		m, err := p.NewDense(n, n)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	kept := square()
	mul := func(m *mat.Dense) {
		if err := matmul.Mul(t.Context(), p, m, kept, kept); err != nil {
			t.Fatal(err)
		}
	}
	first := square()
	count := func(pids ...int) (sum int) {
		for _, pid := range pids {
			sum += mappings(pid)
		}
		return sum
	}
	// The pool's own segment and two matrices, in both workers.
	for ctx := limited(t); count(childrenOf(os.Getpid())...) < 2*3 && ctx.Err() == nil; {
		mul(first)
	}
	all := append(childrenOf(os.Getpid()), os.Getpid())
	before, products := count(all...), p.Stats().Processes
	for range 20 {
		m := square()
		mul(m)
		view := m.RawMatrix().Data
		if err := p.Release(m); err != nil {
			t.Fatal(err)
		}
		if r, c := m.Dims(); r != 0 || c != 0 {
			t.Errorf("a released matrix is %d×%d", r, c)
		}
		if panicOf(func() { p.Release(mat.NewDense(1, 1, view[:1:1])) }) == nil {
			t.Error("a matrix was released twice")
		}
	}
	if after := count(all...); after != before || len(all) != 3 {
		t.Errorf("%d segments mapped before, %d after", before, after)
	}
	if s := p.Stats(); s.Processes != products+20 || s.Copied != 0 {
		t.Errorf("%d products in the segment: %+v", products+20, s)
	}
}

func TestProcessesEndWithTheirPool(t *testing.T) {
	before := len(childrenOf(os.Getpid()))
	p := newPool(t, matmul.WithWorkers(3), matmul.WithIsolation())
	m, err := p.NewDense(10, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if !m.IsEmpty() {
		t.Error("a matrix of a closed pool is not empty")
	}
	if n := len(childrenOf(os.Getpid())); n != before {
		t.Errorf("%d processes, were %d", n, before)
	}
}

func TestMemoryThatTheMachineDoesNotHaveIsAnError(t *testing.T) {
	p := newPool(t)
	for _, side := range []int{1 << 20, 1 << 29, 1 << 31} {
		if _, err := p.NewDense(side, side); !errors.Is(err, matmul.ErrNoMemory) {
			t.Errorf("%d×%d: %v, want ErrNoMemory", side, side, err)
		}
	}
	if m, err := p.NewDense(3, 3); err != nil || m.At(2, 2) != 0 {
		t.Errorf("a small one: %v", err)
	}
}
