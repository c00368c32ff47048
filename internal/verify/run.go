package verify

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a check may be told besides the problem. The zero value is
// usual.
type Options struct {
	// Rounds of Freivalds, each with new signs; 0 means 1.
	Rounds int
	// Seed of Freivalds' signs; 0 means one chosen at random.
	Seed uint64
	// Workers is how many goroutines compute; 0 means GOMAXPROCS.
	Workers int
	// Share, unless nil, is the share of the check that is to be done here.
	Share *Share
	// Progress is told what is done of a total, in units of the method's own.
	// Calls do not overlap, and done never falls; total grows if Freivalds has
	// to compare rows with the definition. It should return at once.
	Progress func(done, total int64)
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// Run verifies p by the method. A wrong C is a Report that is not OK; an error
// means that there is no verdict: a file could not be read, the shapes do not
// fit (a [*matfile.Error]), or ctx was cancelled. Run panics if the method is
// unknown: a caller's bug, see [ParseMethod].
func Run(ctx context.Context, method Method, p *Problem, o Options) (Report, error) {
	start := time.Now()
	check := method.check()
	j, err := p.resolve()
	if err != nil {
		return Report{}, err
	}
	from, to := o.Share.part(j.m)
	j.a, j.c, j.c0, j.m = j.a.part(from, to), j.c.part(from, to), j.c0.part(from, to), to-from
	r, err := check(j, ctx, o)
	if err != nil {
		return Report{}, err
	}
	for _, d := range []*Difference{&r.Worst, &r.Element} {
		if d.Row >= 0 {
			d.Row += from
		}
	}
	r.Method, r.OK, r.Elapsed = method, r.Wrong == 0, time.Since(start)
	return r, nil
}

func (m Method) check() func(*job, context.Context, Options) (Report, error) {
	switch m {
	case Freivalds:
		return (*job).freivalds
	case Gonum:
		return (*job).gonum
	case Exact:
		return (*job).exact
	}
	panic(fmt.Sprintf("verify: unknown method %q", string(m)))
}

// A meter adds up progress.
type meter struct {
	mu          sync.Mutex
	done, total int64
	tell        func(done, total int64)
}

func newMeter(o Options, total int64) *meter { return &meter{total: total, tell: o.Progress} }

func (p *meter) add(n int64) {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	p.tell(p.done, p.total)
}

// grow adds work that was not foreseen.
func (p *meter) grow(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
}

// parallel calls do(worker, task) for all tasks in [0, tasks), on as many
// goroutines as there are workers and tasks, this one among them. It returns the first error, and
// no new task begins after one, or after ctx is cancelled.
func parallel(ctx context.Context, workers int, tasks int64, do func(worker int, task int64) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	work := func(w int) {
		for ctx.Err() == nil {
			task := next.Add(1) - 1
			if task >= tasks {
				return
			}
			if err := do(w, task); err != nil {
				stop(err)
			}
		}
	}
	var wg sync.WaitGroup
	for w := 1; w < int(min(int64(workers), tasks)); w++ {
		wg.Go(func() { work(w) })
	}
	work(0)
	wg.Wait()
	return context.Cause(ctx)
}

// ceilDiv returns ⌈a/b⌉ for a ≥ 0, b > 0, without overflow.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}
