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
	"math"
	"sync"
	"time"

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
	index int
	f64   gemm.Workspace[float64]
	f32   gemm.Workspace[float32]
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
	for i := range n {
		t.seats <- &seat{index: i}
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
	j := &product[T]{team: t, sched: tiling.NewSchedule(plan), pace: tiling.NewPace(plan, t.n, nil), kernel: k, blocking: b, whole: x, start: time.Now(), done: make(chan struct{})}
	for range min(plan.Tasks(), n) - 1 {
		t.helpers.Go(func() { j.work(ctx) })
	}
	j.work(ctx)
	<-j.done
	if j.givenUp {
		return context.Cause(ctx)
	}
	return nil
}

// A product is one that several goroutines work on.
type product[T elem.Float] struct {
	team     *Team
	kernel   *gemm.Kernel
	blocking gemm.Blocking
	whole    gemm.Tile[T]
	start    time.Time

	mu      sync.Mutex
	sched   *tiling.Schedule
	pace    *tiling.Pace  // by seat
	givenUp bool          // a task was not done
	done    chan struct{} // closed when no task is left
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
	id, r, ok := j.take(s)
	if !ok {
		return false
	}
	abandoned := ctx.Err() != nil
	if !abandoned {
		gemm.Multiply(j.kernel, j.blocking, workspace[T](s), j.tile(r))
	}
	j.over(s, id, r, abandoned)
	return true
}

// take takes the next task for who has a seat, if any.
func (j *product[T]) take(s *seat) (id int, r tiling.Rect, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	share, now := math.Inf(1), int64(0)
	if s != nil {
		now = j.now()
		share = j.pace.Share(s.index, j.sched.Open(), now)
	}
	if id, ok = j.sched.Next(share); !ok {
		return 0, r, false
	}
	r = j.sched.Rect(id)
	if s != nil {
		j.pace.Took(s.index, j.flops(r), now)
	}
	return id, r, true
}

// over notes that a task is over.
func (j *product[T]) over(s *seat, id int, r tiling.Rect, abandoned bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.givenUp = j.givenUp || abandoned
	if s != nil {
		j.pace.Did(s.index, j.flops(r), j.now())
	}
	j.sched.Done(id)
	if j.sched.Left() == 0 {
		close(j.done)
	}
}

// now is the time of pace.
func (j *product[T]) now() int64 { return int64(time.Since(j.start)) }

// flops returns the operations of a tile.
func (j *product[T]) flops(r tiling.Rect) float64 { return r.Flops(int64(j.whole.A.Packed.Depth)) }

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
