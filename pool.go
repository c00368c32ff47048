package matmul

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/sys"
	"matmul/internal/threads"
	"matmul/tune"
)

// The errors that this package returns wrap one of these, or are the cause of
// a context.
var (
	// ErrClosed says that the pool has been closed.
	ErrClosed = errors.New("matmul: pool is closed")
	// ErrNoProcesses says that isolation was asked for where there are no
	// worker processes: the program has not called Main, or the system is not
	// Linux.
	ErrNoProcesses = errors.New("matmul: no worker processes")
	// ErrNoMemory says that the machine, or a limit that it sets, does not have
	// the memory.
	ErrNoMemory = errors.New("matmul: not enough memory")
	// ErrWorkersLost says that worker processes died faster than they worked.
	ErrWorkersLost = errors.New("matmul: workers lost")
)

// Main turns this process into a worker and does not return if it was started
// as one by a pool; otherwise it returns at once. A program that wants worker
// processes calls it first thing in main, and in TestMain: what stands before
// it, each worker does too. Without it pools compute by goroutines.
func Main() { serveIfWorker() }

// An Option changes what New makes.
type Option func(*config)

type config struct {
	workers  int
	isolated bool
}

// WithWorkers makes New use n workers, n ≥ 1. The default is the number of
// physical cores that the program may use, and not more than GOMAXPROCS.
func WithWorkers(n int) Option {
	if n < 1 {
		panic(fmt.Sprintf("matmul: %d workers", n))
	}
	return func(c *config) { c.workers = n }
}

// WithIsolation has worker processes compute all products that are worth
// dividing. A and B are packed into shared memory, and C is copied from there
// when it is complete: after an error the caller's C is as it was, and what
// kills a worker (the OOM killer, a machine check) does not kill the program.
func WithIsolation() Option { return func(c *config) { c.isolated = true } }

// A Pool computes products. It is safe for use by many goroutines: those that
// multiply at the same time share the workers.
type Pool struct {
	config
	machine  *tune.Machine
	limits   *tune.Limits
	team     *threads.Team
	f64, f32 arithmetic
	count    counters

	processes atomic.Pointer[processes] // nil until they are wanted; set under mu
	heap      map[*float64]bool         // matrices of NewDense elsewhere than in the segment, by first element; under mu
	mu        sync.Mutex
	closed    atomic.Bool    // set under mu
	calls     sync.WaitGroup // that are under way; added to under mu
}

// arithmetic is how a pool multiplies elements of one type.
type arithmetic struct {
	kernel   *gemm.Kernel
	blocking gemm.Blocking
}

// counters are what Stats returns.
type counters struct {
	small, threads, processes, replaced, copied atomic.Uint64
}

// New starts a pool. Close ends it. ctx bounds the start, not the pool's life.
//
// On Linux the monitor thread of Go's runtime no longer interrupts threads that
// compute; it waits for the end of their time slice (SCHED_BATCH).
//
// With isolation the error may be ErrNoProcesses, ErrNoMemory or
// ErrWorkersLost; without, it is the cause of ctx.
func New(ctx context.Context, options ...Option) (*Pool, error) {
	refuseWorker()
	sys.CalmMonitor()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p := &Pool{heap: map[*float64]bool{}}
	p.machine, p.limits = tune.Host().Detect()
	p.workers = min(p.limits.Workers(p.machine).N, runtime.GOMAXPROCS(0))
	for _, o := range options {
		o(&p.config)
	}
	p.team = threads.NewTeam(p.workers)
	share := p.limits.WorkerCaches(p.machine, p.workers)
	p.f64, p.f32 = newArithmetic(elem.Float64, share), newArithmetic(elem.Float32, share)
	if p.isolated {
		e, err := startProcesses(p)
		if err != nil {
			return nil, err
		}
		p.processes.Store(e)
		if err := e.greet(ctx); err != nil {
			return nil, errors.Join(err, e.close())
		}
	}
	return p, nil
}

// newArithmetic takes the best kernel that the machine has.
func newArithmetic(t elem.Type, share tune.CacheSizes) arithmetic {
	k, err := gemm.Lookup(gemm.Auto, t)
	if err != nil {
		panic(err) // the portable kernel is always there
	}
	return arithmetic{k, tune.Untuned(k, share).Blocking()}
}

// arithmeticOf returns how p multiplies elements of type T.
func arithmeticOf[T elem.Float](p *Pool) *arithmetic {
	if elem.Of[T]() == elem.Float32 {
		return &p.f32
	}
	return &p.f64
}

// Workers returns the number of workers: goroutines that compute at a time, and
// worker processes.
func (p *Pool) Workers() int { return p.workers }

// begin opens a call that Close waits for; end closes it.
func (p *Pool) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return ErrClosed
	}
	p.calls.Add(1)
	return nil
}

func (p *Pool) end() { p.calls.Done() }

// Close ends the pool and its worker processes, and frees the matrices that
// NewDense made, which are empty then. Calls that are under way are finished
// first; later ones return ErrClosed. Closing a closed pool does nothing but
// wait.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed.Store(true)
	p.mu.Unlock()
	p.calls.Wait()
	p.team.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.heap)
	if e := p.processes.Swap(nil); e != nil {
		return e.close()
	}
	return nil
}

// Stats are counts of what a pool has done since it was started.
type Stats struct {
	Small     uint64 // products not worth dividing, computed by the caller's goroutine
	Threads   uint64 // products divided among goroutines
	Processes uint64 // products divided among worker processes
	Replaced  uint64 // worker processes that died and were replaced
	Copied    uint64 // bytes copied between the program's memory and the segment
}

// Stats returns the counts so far.
func (p *Pool) Stats() Stats {
	c := &p.count
	return Stats{c.small.Load(), c.threads.Load(), c.processes.Load(), c.replaced.Load(), c.copied.Load()}
}
