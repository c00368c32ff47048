package master_test

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
)

// The campaigns against workers. Run n of a campaign depends on n and the
// timing alone, so that a campaign can be run in pieces, and a run that failed again:
//
//	go test -tags campaign -timeout 0 -v -run KilledAtRandom -seeds 1:500 ./master
var seeds = flag.String("seeds", "", "FROM:TO, the runs of a campaign of faults (default: all)")

// runs returns the runs that are asked for: those of -seeds, or else 1 to full
// in a campaign and 1 to short otherwise.
func runs(t *testing.T, short, full uint64) (from, to uint64) {
	from, to = 1, short
	if campaign {
		to = full
	}
	if *seeds != "" {
		if _, err := fmt.Sscanf(*seeds, "%d:%d", &from, &to); err != nil || from < 1 || to < from {
			t.Fatalf("-seeds %q: want FROM:TO", *seeds)
		}
	}
	return from, to
}

// A sample is a job of a campaign, from files to a file, and the bytes of C
// that the definition gives.
type sample struct {
	spec master.Spec
	out  *os.File
	size int64
	want [sha256.Size]byte
}

// newSample makes a job of up to side rows, columns and depths in dir.
func newSample(t *testing.T, rng *rand.Rand, dir string, side int, isa gemm.ISA) *sample {
	t.Helper()
	var betas = []float64{0, 0.7}
	p := random(1+rng.IntN(side), 1+rng.IntN(side), 1+rng.IntN(side), 1.3, betas[rng.IntN(2)], rng.IntN(2) == 0, rng.IntN(2) == 0)
	s := p.spec(t, isa)
	s.TileM, s.TileN, s.Slice = int64(8*(1+rng.IntN(3))), int64(24*(1+rng.IntN(2))), int64(200+rng.IntN(2000))
	return toFiles(t, dir, p, s)
}

// toFiles writes the operands of a product to files.
func toFiles[T elem.Float](t *testing.T, dir string, p *product[T], spec master.Spec) *sample {
	t.Helper()
	s := &sample{spec: spec, size: int64(len(elem.Bytes(p.want))), want: sha256.Sum256(elem.Bytes(p.want))}
	for _, f := range []struct {
		name string
		data []T
		to   **os.File
	}{{"a", p.a, &s.spec.A.File}, {"b", p.b, &s.spec.B.File}, {"c0", p.c0, &s.spec.C0.File}, {"c", p.want, &s.spec.Out.File}} {
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, elem.Bytes(f.data), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		*f.to = file
	}
	s.out = s.spec.Out.File
	return s
}

func (s *sample) close() {
	for _, f := range []*os.File{s.spec.A.File, s.spec.B.File, s.spec.C0.File, s.out} {
		f.Close()
	}
}

// run does the job once, onto a file full of something else.
func (s *sample) run(t *testing.T, ctx context.Context, pool *master.Pool) {
	t.Helper()
	junk := make([]byte, s.size)
	for i := range junk {
		junk[i] = 0xa5
	}
	if _, err := s.out.WriteAt(junk, 0); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, pool, s.spec, nil)
	s.check(t)
}

// do does a job; fill, if there is one, fills the operands in memory.
func do(t *testing.T, ctx context.Context, pool *master.Pool, s master.Spec, fill func()) {
	t.Helper()
	plan, err := master.NewPlan(s, pool.Workers())
	if err != nil {
		t.Fatal(err)
	}
	j, err := pool.Prepare(ctx, plan)
	if err == nil {
		defer j.Close()
		if fill != nil {
			fill()
		}
		_, err = j.Run(ctx)
	}
	if err != nil {
		t.Fatalf("%d×%d×%d: %v\n%s", plan.M, plan.N, plan.K, err, describe(pool))
	}
}

// check compares the file with the definition.
func (s *sample) check(t *testing.T) {
	t.Helper()
	got := make([]byte, s.size)
	if _, err := s.out.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(got); sum != s.want {
		t.Errorf("C has the SHA-256 %x, want %x", sum, s.want)
	}
}

// perPool is how many runs a pool lives. What it may have left behind is looked
// for after that.
const perPool = 20

// faultRuns does runs while inject does harm to the workers: each is one job,
// done again and again until inject has returned, and then once more. It logs the
// sum: runs, faults, failures, and a SHA-256 over those of all C.
func faultRuns(t *testing.T, from, to uint64, cfg master.Config, side int, isa gemm.ISA,
	inject func(rng *rand.Rand, pool *master.Pool) (faults int)) {
	t.Helper()
	faults, deaths, failures := 0, 0, 0
	all := sha256.New()
	for n := from; n <= to; {
		last := min(to, (n-1)/perPool*perPool+perPool)
		first := n
		ok := t.Run(fmt.Sprintf("runs %d to %d", first, last), func(t *testing.T) {
			dir := t.TempDir()
			before := take(dir)
			cfg.Kind = shmmat.Shared()[(n-1)/perPool%4]
			cfg.Dir = dir
			pool, err := master.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { // also after Fatal
				deaths += pool.Deaths()
				if err := pool.Close(); err != nil {
					t.Errorf("close pool: %v", err)
				}
				before.unchanged(t, dir)
			}()
			for ; n <= last; n++ {
				faults += oneRun(t, n, pool, side, isa, inject, all.Write)
			}
		})
		n = last + 1
		if !ok {
			failures++
		}
	}
	t.Logf("runs %d to %d: %d faults, %d deaths, %d failures, SHA-256 over all C %x", from, to, faults, deaths, failures, all.Sum(nil))
	if faults < int(to-from+1)/2 {
		t.Errorf("only %d faults: this shows little", faults)
	}
}

func oneRun(t *testing.T, n uint64, pool *master.Pool, side int, isa gemm.ISA,
	inject func(*rand.Rand, *master.Pool) int, note func([]byte) (int, error)) (faults int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(n, 5))
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, fmt.Errorf("run %d hangs", n))
	defer cancel()
	dir, err := os.MkdirTemp("", "matmul-faults-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s := newSample(t, rng, dir, side, isa)
	defer s.close()
	var injector sync.WaitGroup
	var injected atomic.Bool
	injector.Go(func() {
		defer injected.Store(true)
		faults = inject(rng, pool)
	})
	defer injector.Wait()
	for done := false; !done; {
		done = injected.Load() // the last job begins after the last fault
		s.run(t, ctx, pool)
	}
	s.check(t) // nobody has written since
	note(s.want[:])
	return faults
}

// send sends a signal to the worker in a seat. It reports false if there was no
// living one.
func send(pool *master.Pool, seat int, sig syscall.Signal) (pid int, ok bool) {
	pid = pool.Pids()[seat]
	return pid, pid > 0 && isChild(pid) && syscall.Kill(pid, sig) == nil
}

// TestWorkersKilledAtRandomChangeNothing kills 1 to all of the workers of small
// jobs at random microseconds.
func TestWorkersKilledAtRandomChangeNothing(t *testing.T) {
	from, to := runs(t, 60, 3000) // each with nearly 2 kills on average
	cfg := master.Config{Workers: 3, Starter: processes, Yield: true}
	faultRuns(t, from, to, cfg, 200, gemm.Auto, func(rng *rand.Rand, pool *master.Pool) (kills int) {
		for _, seat := range rng.Perm(cfg.Workers)[:1+rng.IntN(cfg.Workers)] {
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
			if _, ok := send(pool, seat, syscall.SIGKILL); ok {
				kills++
			}
		}
		return kills
	})
}

// TestWorkersStoppedAroundTheStallLimitChangeNothing stops workers and lets them
// go on when the limit is nearly over, just over, or long over. One that is
// killed and one that goes on in time must both be right; one that wakes up
// with a task that was given to another would spoil it.
func TestWorkersStoppedAroundTheStallLimitChangeNothing(t *testing.T) {
	from, to := runs(t, 20, 1000)
	const stall = 60 * time.Millisecond
	cfg := master.Config{Workers: 3, Starter: processes, Yield: true, Stall: stall}
	late := 0
	faultRuns(t, from, to, cfg, 200, gemm.Generic, func(rng *rand.Rand, pool *master.Pool) (stops int) {
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
		var stopped []int
		for _, seat := range rng.Perm(cfg.Workers)[:1+rng.IntN(cfg.Workers)] {
			if pid, ok := send(pool, seat, syscall.SIGSTOP); ok {
				stopped = append(stopped, pid)
			}
		}
		// The limit is seen up to two beats of a quarter of it too late.
		time.Sleep(stall/2 + time.Duration(rng.Int64N(int64(3*stall/2))))
		for _, pid := range stopped {
			if !isChild(pid) || syscall.Kill(pid, syscall.SIGCONT) != nil {
				late++ // it was killed and reaped before
			}
		}
		return len(stopped)
	})
	t.Logf("%d of them had been replaced when they were to go on", late)
	if late == 0 {
		t.Error("none was replaced: this shows nothing")
	}
}
