//go:build mpi

package main

import (
	"cmp"
	"context"
	"time"

	"matmul/internal/elem"
	"matmul/internal/mpi"
	"matmul/internal/sys"
	"matmul/master"
	"matmul/shmmat"
)

// A coming is the panels of a step on their way.
type coming struct {
	ctx      context.Context
	step     int
	reading  chan error     // of pieces; nil when they have been read
	read     chan parcel    // of pieces of other ranks, with --scatter
	parcels  []parcel       // that are being sent
	pieces   []*mpi.Request // of this rank, with --scatter
	broken   error          // of beginning to receive them
	posted   bool           // the broadcasts have begun
	requests []*mpi.Request
}

// begin begins to bring the panels of a step: first, the pieces of them that this
// rank has itself.
func (p *part) begin(ctx context.Context, step int) *coming {
	c := &coming{ctx: ctx, step: step, reading: make(chan error, 1)}
	failed := p.failed
	switch {
	case p.scatter && p.world.Rank == 0:
		c.read = make(chan parcel)
		go func() { c.reading <- p.ship(ctx, step, c.read, failed) }()
	case p.scatter:
		c.pieces, c.broken = p.receive(step)
		c.reading <- nil
	case failed != nil:
		c.reading <- nil
	default:
		go func() { c.reading <- p.read(ctx, step) }()
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
		case err := <-c.reading:
			p.failed, c.reading = cmp.Or(p.failed, err, context.Cause(c.ctx)), nil
		default:
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
		if err := p.post(c); err != nil {
			return false, err
		}
	}
	return allDone(c.requests)
}

// post begins the transfers of a step.
func (p *part) post(c *coming) error {
	a, b := p.owners(c.step)
	mine := p.block(p.world.Rank)
	width := p.width(c.step) * int64(p.spec.Type.Size())
	for _, m := range []struct {
		comm  *mpi.Comm
		root  int
		lanes int64
		buf   buffer
	}{{p.row, a, mine.Rows(), p.a[c.step%2]}, {p.col, b, mine.Cols(), p.b[c.step%2]}} {
		if m.comm.Size == 1 || m.lanes*width == 0 {
			continue // no rank of this row or column has any of it
		}
		r, err := m.comm.Bcast(m.buf.mem[:m.lanes*width], m.root)
		if err != nil {
			return err
		}
		c.requests = append(c.requests, r)
	}
	*p.vote = p.ballot(p.failed)
	r, err := p.world.Max(p.vote)
	c.requests = append(c.requests, r)
	return err
}

// owners returns the column of the grid whose ranks have the panels of A of a
// step, and the row whose ranks have those of B.
func (p *part) owners(step int) (col, row int) { return step % p.plan.Q, step % p.plan.P }

// width returns the columns of k of a step.
func (p *part) width(step int) int64 {
	return min(p.plan.Width, p.k-int64(step)*p.plan.Width)
}

// A stepRun is the product of a step that is being done.
type stepRun struct {
	over chan struct{} // closed when it is
	err  error
}

// start begins to multiply the panels of a step.
func (p *part) start(ctx context.Context, step int) *stepRun {
	r := &stepRun{over: make(chan struct{})}
	go func() {
		r.err = p.multiply(ctx, step)
		close(r.over)
	}()
	return r
}

// wait waits until the product is over or so much time has passed, and reports
// whether it is over.
func (r *stepRun) wait(d time.Duration) bool {
	select {
	case <-r.over:
		return true
	default:
	}
	if d == 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.over:
		return true
	case <-timer.C:
		return false
	}
}

// arrive waits for the panels that are coming, if any are, and for the product
// of the step before, if one is being done. The error is that of any rank.
func (p *part) arrive(ctx context.Context, c *coming, product *stepRun) error {
	arrived, idle := c == nil, time.Now()
	err := p.until(ctx, func() (_ bool, err error) {
		if product != nil && product.wait(0) {
			p.failed, product, idle = cmp.Or(p.failed, product.err), nil, time.Now()
		}
		if !arrived {
			arrived, err = p.advance(c)
		}
		return arrived && product == nil, err
	}, func() {
		switch {
		case product == nil:
			pause(idle)
		case arrived:
			product.wait(mostPause)
		default:
			sys.Nap(busyPause)
		}
	})
	if err != nil || c == nil {
		return err
	}
	return p.verdict(ctx, *p.vote, p.failed)
}

// busyPause is the time between looks for messages while workers compute: each
// look takes a worker's processor from it for some microseconds, and moves a few
// hundred KiB at most between ranks that share memory.
const busyPause = 300 * time.Microsecond

// multiply adds the product of the panels of a step to this rank's block of C.
func (p *part) multiply(ctx context.Context, step int) error {
	r := p.block(p.world.Rank)
	if r.Rows() == 0 || r.Cols() == 0 {
		return nil
	}
	if step == 0 {
		p.turn(r)
	}
	w := max(p.width(step), 0)
	s := p.spec
	s.A.Matrix = packed(s.A.Matrix, r.Rows(), w, s.Type, p.a[step%2])
	s.B.Matrix = packed(s.B.Matrix, w, r.Cols(), s.Type, p.b[step%2])
	s.A.File, s.B.File, s.C0 = nil, nil, master.Operand{}
	s.Kept, s.MaxScratch = nil, mostScratch
	if step > 0 {
		s.Beta = 1
	}
	if s.Beta != 0 {
		s.C0.Matrix = packed(shmmat.Matrix{}, r.Rows(), r.Cols(), s.Type, p.c[(step+1)%2])
	}
	s.Out = master.Output{Kept: packed(shmmat.Matrix{}, r.Rows(), r.Cols(), s.Type, p.c[step%2])}
	_, plan, err := p.crew.plan(p.tuned, s)
	if err != nil {
		return err
	}
	job, err := p.pool.Prepare(ctx, plan)
	if err != nil {
		return err
	}
	defer job.Close()
	rep, err := job.Run(ctx)
	p.multiplied += rep.Wall
	p.tasks, p.deaths = p.tasks+rep.Tasks, p.deaths+rep.Deaths
	p.tiles = [2]int64{plan.TileM, plan.TileN}
	return err
}

// packed returns the matrix of rows × cols that lies in a buffer without gaps, in
// the order of like.
func packed(like shmmat.Matrix, rows, cols int64, t elem.Type, b buffer) shmmat.Matrix {
	m := shmmat.Matrix{Rows: rows, Cols: cols, Order: like.Order, Type: t, Segment: b.number}
	m.LD = max(m.Minors(), 1)
	return m
}
