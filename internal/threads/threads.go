// Package threads multiplies on goroutines of this process: operands lie where
// their owner keeps them, and nothing is copied but what a kernel packs.
//
// Contract: a product is cut into the tiles that workers of a pool would get
// (package tiling), each computed by gemm.Multiply, so its bits are those of
// every other engine. No more tiles are under way at a time than a team has
// seats, whoever asked for them; a caller computes too, on its own goroutine.
// Goroutines live as long as a product, or as a seat that it waits for. There
// is no isolation: a fault in a kernel is the program's.
package threads

import (
	"context"
	"sync"
	"sync/atomic"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/tiling"
)

// A Team is a number of seats, each with the scratch of one goroutine. It is
// safe for use by many goroutines.
type Team struct {
	n       int
	seats   chan *seat     // those that are free
	helpers sync.WaitGroup // goroutines under way
	small   sync.Pool      // of *seat, for products that take none
}

// A seat is the scratch of a goroutine that computes.
type seat struct {
	f64 gemm.Workspace[float64]
	f32 gemm.Workspace[float32]
}

// workspace returns the seat's scratch for T.
func workspace[T elem.Float](s *seat) *gemm.Workspace[T] {
	if ws, ok := any(&s.f64).(*gemm.Workspace[T]); ok {
		return ws
	}
	return any(&s.f32).(*gemm.Workspace[T])
}

// NewTeam returns a team of n seats.
func NewTeam(n int) *Team {
	t := &Team{n: n, seats: make(chan *seat, n)}
	for range n {
		t.seats <- new(seat)
	}
	t.small.New = func() any { return new(seat) }
	return t
}

// Wait returns when no goroutine of the team is left. No product may be under
// way, nor begin.
func (t *Team) Wait() { t.helpers.Wait() }

// tileFlops is what a tile is worth handing to another goroutine from: waking a
// thread takes as long as some millions of operations.
const tileFlops = 6e6

// Small reports whether a product is not worth dividing: Alone does it.
func Small(p tiling.Problem) bool { return p.Flops() < 2*tileFlops }

// Alone is gemm.Multiply with scratch of the team's. It takes no seat.
func Alone[T elem.Float](t *Team, k *gemm.Kernel, b gemm.Blocking, x gemm.Tile[T]) {
	s := t.small.Get().(*seat)
	defer t.small.Put(s)
	gemm.Multiply(k, b, workspace[T](s), x)
}

// Multiply is gemm.Multiply by as many goroutines of the team as there are
// seats free, the caller's among them. x is a whole product: I0 and J0 are 0.
// When ctx ends, it returns its cause after the tiles that are under way; some
// tiles of C are then written, others are not.
func Multiply[T elem.Float](ctx context.Context, t *Team, k *gemm.Kernel, b gemm.Blocking, x gemm.Tile[T]) error {
	p := tiling.Problem{M: int64(x.I1), N: int64(x.J1), K: int64(x.A.Packed.Depth)}
	mr, nr, n := int64(k.MR), int64(k.NR), int(min(float64(t.n), max(1, p.Flops()/tileFlops)))
	down, across := tiling.DefaultTiles(p, tiling.OfStored, mr, nr, n)
	plan, err := tiling.New(tiling.Params{Problem: p, MR: mr, NR: nr, Down: down, Across: across, Taper: tiling.TaperFor(n, tiling.OfStored), Slice: 1})
	if err != nil || plan.Tasks() == 0 {
		return err
	}
	j := &product[T]{team: t, plan: plan, kernel: k, blocking: b, whole: x, done: make(chan struct{})}
	j.left.Store(int64(plan.Tasks()))
	for range min(plan.Tasks(), n) - 1 {
		t.helpers.Go(func() { j.work(ctx) })
	}
	j.work(ctx)
	<-j.done
	if j.givenUp.Load() {
		return context.Cause(ctx)
	}
	return nil
}

// A product is one that several goroutines work on.
type product[T elem.Float] struct {
	team     *Team
	plan     *tiling.Plan
	kernel   *gemm.Kernel
	blocking gemm.Blocking
	whole    gemm.Tile[T]

	next    atomic.Int64  // task that nobody has taken yet
	left    atomic.Int64  // tasks that are not over
	givenUp atomic.Bool   // a task was not done
	done    chan struct{} // closed when left is 0
}

// work takes one task after the other until there is none. Between two of them
// it leaves its seat to whoever waits for one.
func (j *product[T]) work(ctx context.Context) {
	for more := true; more; {
		select {
		case <-j.done:
			return
		case <-ctx.Done():
			more = j.step(ctx, nil)
		case s := <-j.team.seats:
			more = j.step(ctx, s)
		}
	}
}

// step does the next task, or gives it up if ctx has ended, and leaves the
// seat, which is there unless ctx has ended. It reports whether there was one.
func (j *product[T]) step(ctx context.Context, s *seat) bool {
	if s != nil {
		defer func() { j.team.seats <- s }()
	}
	id := int(j.next.Add(1) - 1)
	if id >= j.plan.Tasks() {
		return false
	}
	defer func() {
		if j.left.Add(-1) == 0 {
			close(j.done)
		}
	}()
	if ctx.Err() != nil {
		j.givenUp.Store(true)
		return true
	}
	gemm.Multiply(j.kernel, j.blocking, workspace[T](s), j.tile(j.plan.Rect(id)))
	return true
}

// tile returns a part of the product.
func (j *product[T]) tile(r tiling.Rect) gemm.Tile[T] {
	t := j.whole
	t.I0, t.I1, t.J0, t.J1 = int(r.R0), int(r.R1), int(r.C0), int(r.C1)
	t.C = t.C[t.I0*t.LDC+t.J0:]
	if t.C0 != nil {
		t.C0 = t.C0[t.I0*t.LDC0+t.J0:]
	}
	return t
}
