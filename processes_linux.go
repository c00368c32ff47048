package matmul

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/mat"

	"matmul/internal/elem"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tune"
	"matmul/worker"
)

// mainCalled says that a process started as a worker would become one.
var mainCalled atomic.Bool

func serveIfWorker() {
	worker.Main()
	mainCalled.Store(true)
}

// refuseWorker ends a process that was started as a worker and has become
// something else: it would start workers of its own, and they again.
func refuseWorker() {
	if worker.Started() {
		fmt.Fprintln(os.Stderr, "matmul: started as a worker, but the program called New and not Main first")
		os.Exit(1)
	}
}

// starter starts the workers of all pools: it has a thread that never ends.
var starter = sync.OnceValue(worker.NewProcesses)

// processes is the engine of worker processes. It does one product at a time.
type processes struct {
	of   *Pool
	pool *master.Pool
	turn chan struct{} // a token, for who uses what follows
	most int64         // bytes of the largest product so far
	lost error         // set once workers died faster than they worked

	mu    sync.Mutex
	dense []matrix // what newDense made, by address
}

// A matrix is one that newDense made.
type matrix struct {
	*mat.Dense
	first  uintptr // address of its memory
	size   int64   // bytes of it
	number uint32  // of its segment
}

// startProcesses starts worker processes. The errors are ErrNoProcesses and
// ErrNoMemory.
func startProcesses(p *Pool) (*processes, error) {
	if !mainCalled.Load() {
		return nil, fmt.Errorf("%w: the program has not called matmul.Main", ErrNoProcesses)
	}
	c := master.Config{
		Workers: p.workers, Starter: starter(), Pins: p.limits.Pins(p.machine, p.workers),
		Spin: tune.DefaultSpin, Yield: p.workers >= len(p.limits.Affinity),
	}
	var err error
	for _, c.Kind = range []shmmat.Kind{shmmat.Memfd, shmmat.Posix, shmmat.SysV} {
		e := &processes{of: p, turn: make(chan struct{}, 1)}
		if e.pool, err = master.New(c); err == nil {
			e.leave()
			return e, nil
		}
	}
	return nil, failure(err)
}

func (e *processes) close() error {
	err := e.pool.Close()
	for _, m := range e.dense {
		*m.Dense = mat.Dense{}
	}
	return err
}

// take waits for the turn.
func (e *processes) take(ctx context.Context) error {
	select {
	case <-e.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *processes) leave() { e.turn <- struct{}{} }

// greet waits until a worker has answered.
func (e *processes) greet(ctx context.Context) error {
	if err := e.take(ctx); err != nil {
		return err
	}
	defer e.leave()
	return failure(e.pool.Nops(ctx, 1, 1, nil))
}

// newDense makes a matrix in a segment of its own.
func (e *processes) newDense(r, c int, size int64) (*mat.Dense, error) {
	ctx := context.Background()
	if err := e.take(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	if err := e.afford(size); err != nil {
		return nil, err
	}
	number, mem, err := e.pool.Keep(ctx, size)
	if err != nil {
		return nil, failure(err)
	}
	data := elem.Slice[float64](mem)
	m := matrix{mat.NewDense(r, c, data), address(data), size, number}
	e.mu.Lock()
	defer e.mu.Unlock()
	i, _ := e.search(m.first)
	e.dense = slices.Insert(e.dense, i, m)
	return m.Dense, nil
}

// search returns where a matrix whose memory begins at first is among the
// others, or would be.
func (e *processes) search(first uintptr) (i int, ok bool) {
	return slices.BinarySearchFunc(e.dense, first, func(m matrix, first uintptr) int { return cmp.Compare(m.first, first) })
}

// release gives the memory of a matrix back. It reports whether it had it.
func (e *processes) release(m *mat.Dense) (ok bool, err error) {
	e.mu.Lock()
	i, ok := e.search(address(m.RawMatrix().Data))
	if !ok {
		e.mu.Unlock()
		return false, nil
	}
	number := e.dense[i].number
	*e.dense[i].Dense = mat.Dense{}
	e.dense = slices.Delete(e.dense, i, i+1)
	e.mu.Unlock()
	ctx := context.Background()
	if err := e.take(ctx); err != nil {
		return true, err
	}
	defer e.leave()
	return true, failure(e.pool.Drop(ctx, number))
}

// find returns the segment that holds size bytes from an address on, and how
// far from its start they are.
func (e *processes) find(first uintptr, size int64) (number uint32, offset int64, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, exact := e.search(first)
	if !exact {
		i--
	}
	if i < 0 {
		return 0, 0, false
	}
	m := &e.dense[i]
	if offset = int64(first - m.first); offset+size > m.size {
		return 0, 0, false
	}
	return m.number, offset, true
}

// afford returns an error if so many bytes more are not to be had: the kernel
// would not refuse them, it would end a process.
func (e *processes) afford(bytes int64) error {
	budget := tune.Host().Limits(e.of.machine).Memory()
	if len(budget.Why) > 0 && bytes > budget.Bytes {
		return fmt.Errorf("%w: %s wanted, %s", ErrNoMemory, tune.FormatBytes(bytes), budget.Limiter)
	}
	return nil
}

// failure makes what went wrong below one of this package's errors, if it is
// not the caller's own.
func failure(err error) error {
	switch {
	case errors.Is(err, master.ErrWorkersLost):
		return fmt.Errorf("%w: %w", ErrWorkersLost, err)
	case errors.Is(err, shmmat.ErrUnavailable), errors.Is(err, master.ErrFault):
		return fmt.Errorf("%w: %w", ErrNoMemory, err)
	}
	return err
}
