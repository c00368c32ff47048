package master_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// TestJobsAtOnceChangeNothing has many jobs of random shapes and priorities run
// in one pool at the same time, cancels some, and kills workers meanwhile. Each
// of the others has the bits of the definition, and nobody writes for a job
// whose Run has returned.
func TestJobsAtOnceChangeNothing(t *testing.T) {
	from, to := runs(t, 12, 1000)
	jobs, cancelled, kills, failures := 0, 0, 0, 0
	all := sha256.New()
	for n := from; n <= to; n++ {
		ok := t.Run(fmt.Sprintf("run %d", n), func(t *testing.T) {
			c := newCrowd(t, n)
			c.run(t)
			jobs, cancelled, kills = jobs+len(c.members), cancelled+int(c.cancelled.Load()), kills+int(c.kills.Load())
			for _, m := range c.members {
				all.Write(m.want[:])
			}
		})
		if !ok {
			failures++
		}
	}
	t.Logf("runs %d to %d: %d jobs, %d cancelled, %d kills, %d failures, SHA-256 over all C %x", from, to, jobs, cancelled, kills, failures, all.Sum(nil))
	if cancelled == 0 || kills == 0 {
		t.Error("nothing was cancelled, or nobody was killed: this shows little")
	}
}

// A crowd is jobs that run at the same time.
type crowd struct {
	rng       *rand.Rand
	pool      *master.Pool
	members   []*sample
	cancelled atomic.Int64
	kills     atomic.Int64
}

const crowdWorkers = 3

func newCrowd(t *testing.T, n uint64) *crowd {
	c := &crowd{rng: rand.New(rand.NewPCG(n, 17))}
	c.pool = openWith(t, master.Config{Workers: crowdWorkers, Starter: processes, Kind: shmmat.Shared()[n%4]})
	for range 2 + c.rng.IntN(6) {
		s := newSample(t, c.rng, t.TempDir(), 250, gemm.Auto)
		s.spec.Priority = uint8(c.rng.IntN(shmmat.Priorities))
		t.Cleanup(s.close)
		c.members = append(c.members, s)
	}
	return c
}

// run has every member run a few times, each in a goroutine of its own.
func (c *crowd) run(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("the jobs hang"))
	defer cancel()
	var work, harm sync.WaitGroup
	stop := make(chan struct{})
	harm.Go(func() { c.kill(stop) })
	for i, s := range c.members {
		rng := rand.New(rand.NewPCG(c.rng.Uint64(), uint64(i)))
		work.Go(func() {
			for range 3 {
				if rng.IntN(3) > 0 {
					s.run(t, ctx, c.pool)
				} else if c.cancel(t, ctx, rng, s) {
					c.cancelled.Add(1)
				}
			}
			s.run(t, ctx, c.pool)
		})
	}
	work.Wait()
	close(stop)
	harm.Wait()
	for _, s := range c.members {
		s.check(t) // nobody has written since
	}
}

// kill kills workers at random microseconds, fewer than make a pool give up on a
// machine so busy that none of them gets to finish a task.
func (c *crowd) kill(stop <-chan struct{}) {
	for c.kills.Load() < 4*crowdWorkers {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(1+rand.IntN(8000)) * time.Microsecond):
		}
		if killBusy(c.pool, rand.IntN(crowdWorkers)) {
			c.kills.Add(1)
		}
	}
}

// killBusy kills the worker in a seat if it does a task: on a busy machine
// starting one takes longer than a killer waits.
func killBusy(pool *master.Pool, seat int) (killed bool) {
	if a, ok := pool.Board().Activity(seat); ok && a.Job != 0 {
		_, killed = send(pool, seat, syscall.SIGKILL)
	}
	return killed
}

// cancel starts a job and cancels it at a random moment. It reports whether it
// came before the end. What the file holds when Run returns is overwritten, and
// must stay.
func (c *crowd) cancel(t *testing.T, ctx context.Context, rng *rand.Rand, s *sample) bool {
	plan, err := master.NewPlan(s.spec, c.pool.Workers())
	if err != nil {
		t.Error(err)
		return false
	}
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	j, err := c.pool.Prepare(ctx, plan)
	if err != nil {
		t.Error(err)
		return false
	}
	defer j.Close()
	time.AfterFunc(time.Duration(rng.IntN(3000))*time.Microsecond, func() { cancel(enough) })
	_, err = j.Run(ctx)
	if err != nil && !errors.Is(err, enough) {
		t.Errorf("%v\n%s", err, describe(c.pool))
	}
	mark := make([]byte, s.size)
	for i := range mark {
		mark[i] = byte(i)
	}
	if _, err := s.out.WriteAt(mark, 0); err != nil {
		t.Error(err)
	}
	if err := c.pool.Nops(t.Context(), crowdWorkers, 1, nil); err != nil {
		t.Error(err)
	}
	got := make([]byte, s.size)
	if _, err := s.out.ReadAt(got, 0); err != nil || !slices.Equal(got, mark) {
		t.Errorf("somebody writes for a job that has ended (%v)", err)
	}
	return err != nil
}

// TestAJobOfAHigherPriorityGoesFirst: what workers hold when it comes is done,
// and then nothing of the other job until all of it is.
func TestAJobOfAHigherPriorityGoesFirst(t *testing.T) {
	for _, workers := range []int{1, 3} {
		pool := open(t, engine{"", processes, shmmat.Memfd}, workers)
		ctx := limited(t)
		var log []bool // of each finished row of tiles, whether it is the urgent job's
		job := func(rows int, priority uint8, stored func()) *master.Job {
			p := &product[float64]{m: rows, n: 96, k: 2000, alpha: 1}
			s := p.spec(t, gemm.Generic)
			s.Priority, s.TileM, s.TileN = priority, 1, 96
			s.Out.File, s.Out.Offset = file(t, "c", make([]float64, rows*96))
			s.Out.Stored = func(tiling.Rect, uint32) { stored() }
			return prepare(t, ctx, pool, s)
		}
		urgent := job(160, 9, func() { log = append(log, true) })
		var came sync.Once
		var errs [2]error
		var both sync.WaitGroup
		patient := job(2400, 2, func() {
			log = append(log, false)
			came.Do(func() { both.Go(func() { _, errs[0] = urgent.Run(ctx) }) })
		})
		both.Go(func() { _, errs[1] = patient.Run(ctx) })
		both.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatalf("%v\n%s", err, describe(pool))
		}
		// Until that many of its rows are done, some have not been handed out yet.
		surely := urgent.TileRows() - workers*shmmat.Depth
		if surely < shmmat.Depth {
			t.Fatalf("the urgent job has too few rows: %d", urgent.TileRows())
		}
		first, last := slices.Index(log, true), -1
		for left := surely; left > 0; {
			if last++; log[last] {
				left--
			}
		}
		between := last + 1 - first - surely
		t.Logf("%d worker(s): %d rows of the patient job before the urgent one, %d meanwhile, %d after", workers, first, between, len(log)-1-last)
		if between > workers*shmmat.Depth || last == len(log)-1 {
			t.Errorf("%d worker(s): the urgent job waited", workers)
		}
	}
}

// keep sets elements aside that outlive jobs.
func keep(t *testing.T, pool *master.Pool, n int) (uint32, []float64) {
	t.Helper()
	number, mem, err := pool.Keep(limited(t), int64(8*n))
	if err != nil {
		t.Fatal(err)
	}
	return number, elem.Slice[float64](mem)[:n]
}

// TestWhatAJobLeavesInKeptMemoryOthersGoOnWith does a product in chunks of k:
// each chunk's panels are packed by a job of their own into kept memory, and
// accumulated from one kept matrix into another; the last one is stored in the
// middle of a wider file. Its C is then used as an operand.
func TestWhatAJobLeavesInKeptMemoryOthersGoOnWith(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			pool := open(t, e, 3)
			ctx := limited(t)
			p := random[float64](101, 77, 90, 1.3, 0.7, false, true)
			s := toFiles(t, t.TempDir(), p, p.spec(t, gemm.Auto))
			defer s.close()
			panelsA, _ := keep(t, pool, 112*60)
			panelsB, _ := keep(t, pool, 96*60)
			var acc [2]uint32
			var c [2][]float64
			for i := range acc {
				acc[i], c[i] = keep(t, pool, 101*77)
			}
			wide := make([]float64, 101*200)
			out, offset := file(t, "wide", wide)
			last := 0
			for q, k0 := range []int64{0, 40, 85} { // the second ends at 85, the last one is short
				k1 := []int64{40, 85, 90}[q]
				chunk := s.spec
				chunk.TileM, chunk.TileN, chunk.Out = 24, 24, master.Output{}
				chunk.A.Cols, chunk.A.Offset, chunk.A.Segment = k1-k0, 8*k0, panelsA
				chunk.B.Rows, chunk.B.Offset, chunk.B.Segment = k1-k0, 8*k0, panelsB
				pack := chunk
				pack.PackOnly, pack.Slice = true, 300
				blocks := 0
				pack.Filled = func(tiling.Kind, tiling.Rect, uint32) { blocks++ }
				do(t, ctx, pool, pack, nil)
				if blocks < 2 {
					t.Errorf("%d blocks were packed, want more", blocks)
				}
				chunk.A.File, chunk.A.Packed, chunk.B.File, chunk.B.Packed = nil, true, nil, true
				chunk.Out.Kept = shmmat.Matrix{Rows: 101, Cols: 77, LD: 77, Type: elem.Float64, Segment: acc[q%2]}
				if q == 0 {
					chunk.C0.Segment = acc[1] // it is read into it
				} else {
					chunk.C0, chunk.Beta = master.Operand{Matrix: chunk.Out.Kept}, 1
					chunk.C0.Segment = acc[1-q%2]
				}
				if k1 == 90 {
					chunk.Out.File, chunk.Out.Offset, chunk.Out.LD = out, offset+8*50, 200
				}
				do(t, ctx, pool, chunk, nil)
				last = q % 2
			}
			same(t, c[last], p.want)
			if _, err := out.ReadAt(elem.Bytes(wide), offset); err != nil {
				t.Fatal(err)
			}
			for i := range 101 {
				same(t, wide[200*i+50:][:77], p.want[77*i:][:77])
				if wide[200*i+49] != 0 || wide[200*i+50+77] != 0 {
					t.Fatalf("row %d: something was written beside C", i)
				}
			}
			squareOf(t, ctx, pool, p, acc[last])
		})
	}
}

// squareOf computes CᵀC from a kept C.
func squareOf(t *testing.T, ctx context.Context, pool *master.Pool, p *product[float64], c uint32) {
	t.Helper()
	q := &product[float64]{m: p.n, n: p.n, k: p.m, alpha: 1, transA: true, a: p.want, b: p.want, want: make([]float64, p.n*p.n)}
	gemm.Reference(gemm.Problem[float64]{M: q.m, N: q.n, K: q.k, Alpha: 1, C: q.want, LDC: q.n,
		A: gemm.Matrix[float64]{Data: q.a, RowStride: 1, ColStride: q.m}, B: gemm.Matrix[float64]{Data: q.b, RowStride: q.n, ColStride: 1}})
	s := q.spec(t, gemm.Auto)
	s.A.Segment, s.B.Segment = c, c
	s.TileM, s.TileN = 24, 24
	j := prepare(t, ctx, pool, s)
	if _, err := j.Run(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := master.Elements[float64](j, shmmat.C)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got[:len(q.want)], q.want)
}

// TestMemoryOfClosedJobsIsUsedAgain: jobs that are prepared at the same time
// have memory of their own; what closed ones leave is taken over by those that
// fit, and given back before others get theirs.
func TestMemoryOfClosedJobsIsUsedAgain(t *testing.T) {
	pool := open(t, engine{"", processes, shmmat.Memfd}, 2)
	ctx := limited(t)
	const n = 1024 // 24 MiB
	p := &product[float64]{m: n, n: n, k: n, alpha: 1}
	big, small := p.spec(t, gemm.Auto), random[float64](70, 30, 20, 1, 0, false, false)
	before := sharedBytes()
	took := func() int64 { return (sharedBytes() - before) >> 20 }
	a, b, c := prepare(t, ctx, pool, big), prepare(t, ctx, pool, big), prepare(t, ctx, pool, small.spec(t, gemm.Auto))
	if got := took(); got < 48 || got > 56 {
		t.Errorf("two jobs of 24 MiB and a small one take %d MiB", got)
	}
	a.Close()
	a = prepare(t, ctx, pool, big)
	if got := took(); got > 56 {
		t.Errorf("%d MiB: the memory of a closed job was not used again", got)
	}
	a.Close()
	b.Close()
	p.m = 3 * n // A and C are larger: 56 MiB
	prepare(t, ctx, pool, p.spec(t, gemm.Auto))
	if got := took(); got < 56 || got > 64 {
		t.Errorf("a job of 56 MiB and a small one take %d MiB: what did not fit is still there", got)
	}
	for _, s := range []struct {
		r    shmmat.Region
		data []float64
	}{{shmmat.RowsA, small.a}, {shmmat.RowsB, small.b}} {
		mem, err := master.Elements[float64](c, s.r)
		if err != nil {
			t.Fatal(err)
		}
		copy(mem, s.data)
	}
	if _, err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := master.Elements[float64](c, shmmat.C)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got[:len(small.want)], small.want)
}

func TestMoreJobsThanThereAreRecordsForAreRefused(t *testing.T) {
	pool := open(t, engine{"", processes, shmmat.Memfd}, 1)
	ctx := limited(t)
	p := random[float64](3, 3, 3, 1, 0, false, false)
	plan, err := master.NewPlan(p.spec(t, gemm.Auto), 1)
	if err != nil {
		t.Fatal(err)
	}
	var jobs []*master.Job
	for range shmmat.Jobs {
		j, err := pool.Prepare(ctx, plan)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	if _, err := pool.Prepare(ctx, plan); !errors.Is(err, master.ErrTooManyJobs) {
		t.Errorf("got %v", err)
	}
	jobs[3].Close()
	j, err := pool.Prepare(ctx, plan)
	if err != nil {
		t.Errorf("a record that is free is refused: %v", err)
	}
	for _, j := range append(jobs, j) {
		j.Close()
	}
}

// TestAnErrorEndsItsOwnJobAlone: a file that is too short ends its job, and not
// the one beside it.
func TestAnErrorEndsItsOwnJobAlone(t *testing.T) {
	pool := open(t, engine{"", processes, shmmat.Memfd}, 2)
	ctx := limited(t)
	p := random[float64](301, 203, 99, 1.3, 0.7, false, false)
	spec := p.spec(t, gemm.Auto)
	spec.TileM, spec.TileN, spec.Slice = 8, 24, 200
	good, bad := toFiles(t, t.TempDir(), p, spec), toFiles(t, t.TempDir(), p, spec)
	defer good.close()
	defer bad.close()
	if err := os.Truncate(bad.spec.B.File.Name(), 8*99*203-8); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(func() {
		for range 10 {
			good.run(t, ctx, pool)
		}
	})
	for range 10 {
		j := prepare(t, ctx, pool, bad.spec)
		_, err := j.Run(ctx)
		j.Close()
		var file *master.FileError
		if !errors.As(err, &file) || file.Role != shmmat.FileB {
			t.Errorf("got %v", err)
		}
	}
	both.Wait()
	if pool.Deaths() > 0 {
		t.Errorf("%d workers died", pool.Deaths())
	}
}
