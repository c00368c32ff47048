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
	"matmul/internal/threads"
	"matmul/tune"
)

// The errors of this package wrap one of these, or are the cause of a context.
var (
	// ErrClosed says that the pool has been closed.
	ErrClosed = errors.New("matmul: pool is closed")
)

// An Option changes what New makes.
type Option func(*config)

type config struct {
	workers int
}

// WithWorkers makes New use n workers, n ≥ 1. The default is the number of
// physical cores that the program may use, and not more than GOMAXPROCS.
func WithWorkers(n int) Option {
	if n < 1 {
		panic(fmt.Sprintf("matmul: %d workers", n))
	}
	return func(c *config) { c.workers = n }
}

// A Pool computes products. It is safe for use by many goroutines; products
// that they ask for at the same time share the workers.
type Pool struct {
	workers  int
	team     *threads.Team
	f64, f32 arithmetic
	count    counters

	mu     sync.Mutex     // of closed, and of the first of several calls
	closed atomic.Bool    // written under mu
	calls  sync.WaitGroup // that are under way; added to under mu
}

// arithmetic is how a pool multiplies elements of one type.
type arithmetic struct {
	kernel   *gemm.Kernel
	blocking gemm.Blocking
}

// counters are what Stats returns.
type counters struct {
	small, threads atomic.Uint64
}

// New starts a pool. Close ends it. ctx bounds the start, not the pool's life.
func New(ctx context.Context, options ...Option) (*Pool, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	machine, limits := tune.Host().Detect()
	c := config{workers: min(limits.Workers(machine).N, runtime.GOMAXPROCS(0))}
	for _, o := range options {
		o(&c)
	}
	share := limits.WorkerCaches(machine, c.workers)
	return &Pool{
		workers: c.workers, team: threads.NewTeam(c.workers),
		f64: newArithmetic(elem.Float64, share), f32: newArithmetic(elem.Float32, share),
	}, nil
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

// Workers returns the number of workers.
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

// Close ends the pool. Products that are under way are finished first; those
// that are asked for later return ErrClosed. Closing a closed pool does
// nothing.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed.Store(true)
	p.mu.Unlock()
	p.calls.Wait()
	p.team.Wait()
	return nil
}

// Stats are counts of what a pool has done since it was started.
type Stats struct {
	Small   uint64 // products too small to be divided, computed by the caller
	Threads uint64 // products divided among goroutines
}

// Stats returns the counts so far.
func (p *Pool) Stats() Stats {
	return Stats{Small: p.count.small.Load(), Threads: p.count.threads.Load()}
}
