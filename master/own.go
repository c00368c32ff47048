package master

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"matmul/internal/elem"
	"matmul/internal/sys"
	"matmul/internal/tile"
	"matmul/shmmat"
	"matmul/tiling"
)

// A job in memory of at most ownFlops is small: the master computes too, in
// the place of the worker on its processor, instead of waiting for that one to
// wake up and for its answer to come. The job then takes a few milliseconds at
// most, in which the master looks after nothing else. A tile is worth its
// message from tileFlops on.
const (
	ownFlops  = 1e9
	tileFlops = 2e6
)

// small reports whether the master does a part of the job itself. It does not
// of one whose tiles are checked: that is for workers, which can be replaced.
func (s *Spec) small(p tiling.Problem) bool {
	inMemory := s.A.File == nil && s.B.File == nil && s.C0.File == nil && s.Out.File == nil && !(s.A.Packed && s.A.Segment != 0)
	return inMemory && !s.ABFT && p.Flops() <= ownFlops
}

// sharers returns how many processes a small job is divided among.
func sharers(p tiling.Problem, workers int) int {
	return int(min(float64(workers), max(1, p.Flops()/tileFlops)))
}

// own is the master's arithmetic.
type own struct {
	f64 tile.Engine[float64]
	f32 tile.Engine[float32]
}

func (o *own) multiply(j *shmmat.Job, m *tile.Memory, r tiling.Rect) error {
	if j.Type == elem.Float32 {
		return multiply(&o.f32, j, m, r)
	}
	return multiply(&o.f64, j, m, r)
}

func multiply[T elem.Float](e *tile.Engine[T], j *shmmat.Job, m *tile.Memory, r tiling.Rect) error {
	if err := e.Use(j); err != nil {
		return err
	}
	return e.Multiply(j, m, r)
}

// seatHere returns the seat whose worker has the processor that the master
// runs on, the first if there is none.
func (p *Pool) seatHere() int {
	if p.pins == nil {
		return 0
	}
	return max(0, slices.Index(p.pins[:p.cfg.Workers], sys.Processor()))
}

// Do plans, prepares and runs a job: what NewPlan, Prepare and Run do one after
// the other. A small one whose operands fit the segment that is there costs
// next to nothing besides its product. The operands and the result are in the
// segment that Reserve has made, or the last job has left; see Elements. It is
// for pools that do one job at a time.
func (p *Pool) Do(ctx context.Context, s Spec) (Report, error) {
	if rep, ok, err := p.doAlone(ctx, &s); ok || err != nil {
		return rep, err
	}
	p.rouse()
	plan, err := NewPlan(s, p.cfg.Workers)
	if err != nil {
		return Report{}, err
	}
	j, err := p.Prepare(ctx, plan)
	if err != nil {
		return Report{}, err
	}
	defer j.Close()
	return j.run(ctx)
}

// doAlone does a job here that needs no plan and no other memory; ok is false
// if it does.
func (p *Pool) doAlone(ctx context.Context, s *Spec) (rep Report, ok bool, err error) {
	pl := Plan{Spec: *s, Plan: &tiling.Plan{}}
	pr := &pl.Params.Problem
	*pr = tiling.Problem{M: s.A.Rows, N: s.B.Cols, K: s.A.Cols}
	if s.Alpha == 0 || s.A.Packed || s.B.Packed || s.TileM > 0 || pr.Check() != nil ||
		!s.small(*pr) || sharers(*pr, p.cfg.Workers) > 1 || s.fit(*pr) != nil {
		return rep, false, nil
	}
	if err := p.lock(ctx); err != nil {
		return rep, false, err
	}
	defer p.mu.Unlock()
	if pl.Layout, err = pl.layout(); err != nil || p.home == nil || !p.home.fits(pl.Layout) {
		return rep, false, err
	}
	pl.Blocking = s.blocking()
	record := pl.record(0, p.home.number)
	rep, err = p.alone(p.home, &record)
	p.traceAlone(s, &record, rep)
	return rep, true, err
}

// isAlone reports whether the master does all of the job.
func (j *Job) isAlone() bool { return j.Small && j.Tasks() == 1 }

// alone does a job that lives in home as one tile.
func (p *Pool) alone(home *dataSegment, j *shmmat.Job) (Report, error) {
	start := sys.Monotonic()
	rep := Report{Tasks: 1}
	m, err := p.memory(home)
	if err != nil {
		return rep, err
	}
	err = p.own.multiply(j, m, tiling.Rect{R1: j.M, C1: j.N})
	rep.Wall = time.Duration(sys.Monotonic() - start)
	rep.Busy[tiling.Multiply] = rep.Wall
	rep.Span[tiling.Multiply][1] = rep.Wall
	return rep, err
}

// own does the next task here, if the job is small and there is one.
func (r *run) own() (did bool, err error) {
	if r.here < 0 {
		return false, r.repairs.err
	}
	id, ok := r.sched.Next(math.Inf(1))
	if !ok {
		return false, nil
	}
	m, err := r.j.p.memory(r.j.home)
	if err != nil {
		return false, err
	}
	t, a := r.task(id), shmmat.Answer{Begin: sys.Monotonic()}
	if err := r.j.p.own.multiply(&r.j.record, m, t.Rect); err != nil {
		return false, fmt.Errorf("multiply: %w", err)
	}
	a.End = sys.Monotonic()
	r.done(nil, t, a)
	return true, nil
}

// workersOnly is work that the master has no part in.
type workersOnly struct{}

func (workersOnly) own() (bool, error) { return false, nil }
