//go:build mpi

package main

import (
	"cmp"
	"context"
	"time"

	"matmul/internal/elem"
	"matmul/internal/mpi"
	"matmul/internal/summa"
	"matmul/internal/sys"
	"matmul/internal/trace"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// A coming is the panels of a step on their way.
type coming struct {
	ctx      context.Context
	step     int
	reading  *errand        // to read pieces; nil when they have been read
	read     chan parcel    // of pieces of other ranks, with --scatter
	parcels  []parcel       // that are being sent
	pieces   []*mpi.Request // of this rank, with --scatter
	broken   error          // of beginning to receive them
	posted   bool           // the panels' shares are on their way
	since    int64          // when the reading, or then the gathering, began
	requests []*mpi.Request
}

// begin begins to bring the panels of a step: first, the pieces of them that this
// rank has itself.
func (p *part) begin(ctx context.Context, step int) *coming {
	c := &coming{ctx: ctx, step: step, since: sys.Monotonic()}
	failed := p.failed
	switch {
	case p.scatter && p.world.Rank == 0:
		c.read = make(chan parcel)
		c.reading = send(func() error { return p.ship(ctx, step, c.read, failed) })
	case p.scatter:
		c.pieces, c.broken = p.receive(step)
	case failed == nil:
		c.reading = send(func() error { return p.read(ctx, step) })
	}
	return c
}

// advance drives the transfers and reports whether all is here. The last of them
// is an agreement on whether to go on.
func (p *part) advance(c *coming) (bool, error) {
	if c.broken != nil {
		return false, c.broken
	}
	if c.reading != nil || len(c.parcels) > 0 {
		var next *parcel
		select {
		case parcel := <-c.read:
			next = &parcel
		default:
		}
		if c.reading != nil && c.reading.wait(0) {
			p.failed, c.reading = cmp.Or(p.failed, c.reading.err), nil
		}
		if err := p.send(c, next); err != nil || c.reading != nil || len(c.parcels) > 0 {
			return false, err
		}
	}
	if here, err := allDone(c.pieces); !here || err != nil {
		return false, err
	}
	if !c.posted {
		c.posted = true
		p.traceStep(trace.Coming, "read", c.step, c.since)
		c.since = sys.Monotonic()
		if err := p.post(c); err != nil {
			return false, err
		}
	}
	here, err := allDone(c.requests)
	if here {
		p.traceStep(trace.Coming, "gather", c.step, c.since)
	}
	return here, err
}

// post begins the transfers of a step.
func (p *part) post(c *coming) error {
	for _, panel := range p.panels(p.world.Rank, c.step) {
		r, err := panel.gather(p.spec.Type)
		if err != nil {
			return err
		}
		if r != nil {
			c.requests = append(c.requests, r)
		}
	}
	p.failed = cmp.Or(p.failed, context.Cause(c.ctx))
	*p.vote = p.ballot(p.failed)
	r, err := p.world.Max(p.vote)
	c.requests = append(c.requests, r)
	return err
}

// width returns the columns of k of a step.
func (p *part) width(step int) int64 {
	return min(p.plan.Width, p.k-int64(step)*p.plan.Width)
}

// An errand is what another goroutine does meanwhile.
type errand struct {
	over chan struct{} // closed when it is
	err  error
}

// send begins an errand.
func send(do func() error) *errand {
	e := &errand{over: make(chan struct{})}
	go func() {
		e.err = do()
		close(e.over)
	}()
	return e
}

// wait waits until the errand is over or so much time has passed, and reports
// whether it is over.
func (e *errand) wait(d time.Duration) bool {
	select {
	case <-e.over:
		return true
	default:
	}
	if d == 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-e.over:
		return true
	case <-timer.C:
		return false
	}
}

// arrive waits for the panels that are coming, if any are, and for the product
// of the step before, if one is being done. The error is that of any rank.
func (p *part) arrive(ctx context.Context, c *coming, product *errand) error {
	arrived, idle, waits := c == nil, time.Now(), sys.Monotonic()
	err := p.until(ctx, func() (_ bool, err error) {
		if product != nil && product.wait(0) {
			p.failed, product, idle = cmp.Or(p.failed, product.err), nil, time.Now()
			waits = sys.Monotonic()
		}
		if !arrived {
			if arrived, err = p.advance(c); arrived && product == nil {
				p.traceStep(trace.Doing, trace.Waiting, c.step, waits)
			}
		}
		return arrived && product == nil, err
	}, func() {
		switch {
		case arrived:
			product.wait(mostPause)
		case product == nil && c.reading != nil && c.read == nil: // nothing is under way
			c.reading.wait(mostPause)
			idle = time.Now()
		case product == nil:
			pause(idle, eager+p.underway)
		default:
			sys.Nap(p.looks)
		}
	})
	if err != nil || c == nil {
		return err
	}
	return p.verdict(ctx, *p.vote, p.failed)
}

// busyPause returns the time between looks for messages while workers compute: each
// look takes a worker's processor from it for some tens of microseconds. A slow network
// is looked at as often as it has filled a socket's buffer; a fast one more seldom than
// that, since a look moves a few hundred KiB at most between ranks that share memory.
func busyPause(n summa.Network) time.Duration {
	const buffer = 128 << 10
	filled := time.Duration(buffer / n.Bandwidth * float64(time.Second))
	return min(max(filled, leastBusyPause), mostPause)
}

const leastBusyPause = 300 * time.Microsecond

// multiply adds the product of the panels of a step to this rank's block of C.
func (p *part) multiply(ctx context.Context, step int) error {
	r := p.block(p.world.Rank)
	if r.Rows() == 0 || r.Cols() == 0 {
		return nil
	}
	if step == 0 {
		p.turn(r)
	}
	a, b := p.rects(p.world.Rank, step)
	s := p.spec
	s.A = p.operand(s.A, a, p.a[step%2], p.panelsA)
	s.B = p.operand(s.B, b, p.b[step%2], p.panelsB)
	s.C0 = master.Operand{}
	s.Kept, s.MaxScratch = nil, mostScratch
	if step > 0 {
		s.Beta = 1
	}
	if s.Beta != 0 {
		s.C0.Matrix = gapless(shmmat.Matrix{}, r.Rows(), r.Cols(), s.Type, p.c[(step+1)%2])
	}
	s.Out = master.Output{Kept: gapless(shmmat.Matrix{}, r.Rows(), r.Cols(), s.Type, p.c[step%2])}
	_, plan, err := p.crew.plan(p.tuned, s)
	if err != nil {
		return err
	}
	job, err := p.pool.Prepare(ctx, plan)
	if err != nil {
		return err
	}
	defer job.Close()
	begin := sys.Monotonic()
	rep, err := job.Run(ctx)
	p.traceStep(trace.Doing, "multiply", step, begin)
	p.multiplied += rep.Wall
	p.tasks, p.deaths = p.tasks+rep.Tasks, p.deaths+rep.Deaths
	p.tiles = [2]int64{plan.TileM, plan.TileN}
	return err
}

// operand returns what a step multiplies of an operand: from its file, or from a
// buffer. As an operand in a file it is packed once for all tiles, and not by each
// tile, where the buffer lies in one.
func (p *part) operand(all master.Operand, r tiling.Rect, from, panels buffer) master.Operand {
	if p.direct {
		return all.Part(r, panels.number)
	}
	o := master.Operand{Matrix: gapless(all.Matrix, r.Rows(), r.Cols(), p.spec.Type, from)}
	if file, at := p.pool.KeptFile(from.number); file != nil {
		o.File, o.InFile, o.Offset, o.Segment = file, true, at, panels.number
	}
	return o
}

// gapless returns the matrix of rows × cols that lies in a buffer without gaps, in
// the order of like.
func gapless(like shmmat.Matrix, rows, cols int64, t elem.Type, b buffer) shmmat.Matrix {
	m := shmmat.Matrix{Rows: rows, Cols: cols, Order: like.Order, Type: t, Segment: b.number}
	m.LD = max(m.Minors(), 1)
	return m
}
