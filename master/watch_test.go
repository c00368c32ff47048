package master_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/worker"
)

// shortStall is a limit that workers in tests, whose tasks take microseconds,
// keep. If a loaded machine makes one miss it, it is replaced for nothing.
const shortStall = 300 * time.Millisecond

func TestStoppedWorkersAreReplaced(t *testing.T) {
	ctx := limited(t)
	pool := openWith(t, master.Config{Workers: 3, Starter: processes, Kind: shmmat.Memfd, Stall: shortStall})
	p := random[float64](301, 203, 99, 1.3, 0.7, false, false)
	s := p.spec(t, gemm.Auto)
	s.TileM, s.TileN, s.Slice = 8, 24, 200
	for range 4 {
		// Until they are replaced nothing goes on: all of them, whatever they do
		// now, and also before they have said hello.
		time.Sleep(rand.N(3 * time.Millisecond))
		before, stopped := pool.Deaths(), 0
		for stopped < 3 {
			stopped = 0
			for seat := range pool.Workers() {
				if _, ok := send(pool, seat, syscall.SIGSTOP); ok {
					stopped++
				}
			}
			if stopped < 3 { // deaths are noticed when the pool has something to do
				if err := pool.Nops(ctx, 1, 1, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		same(t, p.fromFiles(t, ctx, pool, s), p.want)
		if pool.Deaths() == before {
			t.Error("the job was done without replacing a stopped worker")
		}
	}
}

// idlers is a starter whose first workers take their seat, listen to what the
// master tells them, and do no task; later ones are threads that work.
type idlers struct {
	left    atomic.Int32
	undying bool          // they do not end when they are killed
	over    chan struct{} // the test is
}

func newIdlers(t *testing.T, n int32, undying bool) *idlers {
	s := &idlers{undying: undying, over: make(chan struct{})}
	s.left.Store(n)
	t.Cleanup(func() { close(s.over) })
	return s
}

func (s *idlers) Start(cpu int) (shmmat.Line, shmmat.Process, error) {
	if s.left.Add(-1) < 0 {
		return worker.Threads{}.Start(cpu)
	}
	line, mine := shmmat.NewLocalLine()
	p := &idler{undying: s.undying, dead: make(chan struct{}), over: s.over, gone: make(chan error, 1)}
	go func() { p.gone <- p.idle(mine) }()
	return line, p, nil
}

type idler struct {
	undying    bool
	killed     atomic.Bool
	dead, over chan struct{}
	gone       chan error
}

// idle does nothing but what keeps the master content between jobs.
func (p *idler) idle(line shmmat.Line) error {
	defer line.Close()
	if err := line.Send(shmmat.Message{Verb: shmmat.Hello, Version: shmmat.ProtocolVersion}); err != nil {
		return err
	}
	m, _, err := line.Receive()
	if err != nil {
		return err
	}
	v, err := m.Segment.Map(shmmat.All(true))
	if err != nil {
		return err
	}
	b, err := shmmat.OpenBoard(v.Bytes(shmmat.Control), m.Workers)
	if err != nil {
		return err
	}
	for w := b.Worker(m.Seat, m.Epoch); ; {
		select {
		case <-p.dead:
			return nil
		case <-p.over:
			return nil
		default:
		}
		w.Bell.Wait(w.Waiting, 0, time.Millisecond, false)
		t, ok := w.Take()
		if !ok {
			continue
		}
		if t.Kind != shmmat.Attend {
			select {
			case <-p.dead:
			case <-p.over:
			}
			return nil
		}
		if _, _, err := line.Receive(); err != nil {
			return err
		}
		w.End(t, shmmat.Answer{Job: t.Job, ID: t.ID}, 0)
	}
}

// Pid returns that of a process that is not stopped.
func (p *idler) Pid() int { return os.Getpid() }

func (p *idler) Kill() {
	if !p.undying && p.killed.CompareAndSwap(false, true) {
		close(p.dead)
	}
}

func (p *idler) Wait() string {
	if err := <-p.gone; err != nil {
		return err.Error()
	}
	return "killed"
}

func openWith(t *testing.T, cfg master.Config) *master.Pool {
	t.Helper()
	cfg.Dir, cfg.Yield = t.TempDir(), true
	p, err := master.New(cfg)
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

func TestWorkersThatComputeNothingAreReplaced(t *testing.T) {
	// The last of them may find nothing left to do but STORE.
	pool := openWith(t, master.Config{Workers: 2, Starter: newIdlers(t, 5, false), Kind: shmmat.Heap, Stall: shortStall, IOTimeout: 20 * time.Second})
	p := random[float64](61, 101, 75, 1, 0, false, false)
	s := p.spec(t, gemm.Auto)
	s.Out.File, s.Out.Offset = file(t, "c", p.want) // so that all is left to workers
	j := prepare(t, limited(t), pool, s)
	if _, err := j.Run(limited(t)); err != nil {
		t.Fatal(err)
	}
	// One in the last seat may still be on its way when the job is done.
	if n := pool.Deaths(); n < 4 || n > 5 {
		t.Errorf("%d workers were replaced, want the 5 that did nothing, or one less", n)
	}
}

func TestAWorkerMayWaitForADiskUnlessThereIsALimit(t *testing.T) {
	p := random[float64](61, 101, 75, 1, 0, false, false)
	s := p.spec(t, gemm.Auto)
	s.A.File, s.A.Offset = file(t, "a", p.a)
	s.B.File, s.B.Offset = file(t, "b", p.b)
	t.Run("none", func(t *testing.T) {
		pool := openWith(t, master.Config{Workers: 1, Starter: newIdlers(t, 1, false), Kind: shmmat.Heap, Stall: 20 * time.Millisecond})
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, enough)
		defer cancel()
		if _, err := prepare(t, limited(t), pool, s).Run(ctx); !errors.Is(err, enough) {
			t.Errorf("got %v: a worker that waits was taken for a stalled one", err)
		}
	})
	t.Run("some", func(t *testing.T) {
		pool := openWith(t, master.Config{Workers: 1, Starter: newIdlers(t, 1, false), Kind: shmmat.Heap, IOTimeout: shortStall})
		if _, err := prepare(t, limited(t), pool, s).Run(limited(t)); err != nil {
			t.Fatal(err)
		}
		if pool.Deaths() != 1 {
			t.Errorf("%d workers were replaced, want 1", pool.Deaths())
		}
	})
}

func TestAWorkerThatCannotBeEndedIsAnError(t *testing.T) {
	const stall = 50 * time.Millisecond
	pool, err := master.New(master.Config{Workers: 1, Starter: newIdlers(t, 1, true), Kind: shmmat.Heap, Dir: t.TempDir(), Stall: stall})
	if err != nil {
		t.Fatal(err)
	}
	p := random[float64](61, 101, 75, 1, 0, false, false)
	s := p.spec(t, gemm.Auto)
	s.Out.File, s.Out.Offset = file(t, "c", p.want)
	j := prepare(t, limited(t), pool, s)
	_, err = j.Run(limited(t))
	if !errors.Is(err, master.ErrWorkersLost) || !strings.Contains(err.Error(), "was killed 150ms ago and does not end") {
		t.Errorf("got %v", err)
	}
	if _, err := j.Run(limited(t)); !errors.Is(err, master.ErrWorkersLost) {
		t.Errorf("the pool is used again: %v", err)
	}
	if err := pool.Close(); !errors.Is(err, master.ErrWorkersLost) {
		t.Errorf("Close returns %v", err)
	}
}

func TestTheLossOfAllWorkersSaysWhatKilledThem(t *testing.T) {
	var kills atomic.Int64
	pool := openWith(t, master.Config{Workers: 2, Starter: newIdlers(t, 1<<30, false), Kind: shmmat.Heap, Stall: 20 * time.Millisecond,
		OOMKills: func() int64 { return kills.Add(3) }})
	p := random[float64](61, 101, 75, 1, 0, false, false)
	s := p.spec(t, gemm.Auto)
	s.Out.File, s.Out.Offset = file(t, "c", p.want)
	j := prepare(t, limited(t), pool, s)
	_, err := j.Run(limited(t))
	const want = "workers lost: 12 died one after the other without finishing a task: 12 × no progress for 20ms (stopped, or stuck) while it was to "
	if !errors.Is(err, master.ErrWorkersLost) || !strings.HasPrefix(err.Error(), want) ||
		!strings.Contains(err.Error(), "OOM killer ended 3 process(es)") {
		t.Errorf("got %v, want %s…", err, want)
	}
}

// A failing starter starts some workers, which do no task, and then none.
type failing struct {
	idlers *idlers
	left   atomic.Int32
}

func (s *failing) Start(cpu int) (shmmat.Line, shmmat.Process, error) {
	if s.left.Add(-1) < 0 {
		return nil, nil, fmt.Errorf("socketpair: %w", syscall.EMFILE)
	}
	return s.idlers.Start(cpu)
}

func TestWorkersThatCannotBeStartedAreNotSaidToHaveDied(t *testing.T) {
	for _, c := range []struct {
		started int32
		want    string
	}{
		{0, "workers lost: none could be started: 12 × socketpair: too many open files"},
		{2, "workers lost: 12 died, or could not be started, one after the other without finishing a task: "},
	} {
		s := &failing{idlers: newIdlers(t, c.started, false)}
		s.left.Store(c.started)
		pool := openWith(t, master.Config{Workers: 2, Starter: s, Kind: shmmat.Heap, Stall: 20 * time.Millisecond})
		err := pool.Nops(limited(t), 1, 1, nil)
		if !errors.Is(err, master.ErrWorkersLost) || !strings.Contains(err.Error(), c.want) || !errors.Is(err, syscall.EMFILE) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
