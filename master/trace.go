package master

import (
	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// An Event is a task that was done, as Config.Trace is told of it. Times are
// sys.Monotonic nanoseconds.
type Event struct {
	Job        string // Spec.Name
	Seat       int    // of the worker; -1 for the master
	Kind       tiling.Kind
	ID         int64       // of the task in its plan
	Rect       tiling.Rect // what it covers; see tiling.Plan.Rect
	Flops      float64     // operations of a MULTIPLY task
	Sent       int64       // when it was handed out
	Begin, End int64       // of the work
	Ready      int         // tasks of the job that can run and were not handed out, when its answer was taken
}

// trace tells whoever follows the pool that a task is done; m is nil for one of
// the master.
func (r *run) trace(m *member, t shmmat.Task, a shmmat.Answer) {
	e := newEvent(&r.j.Spec, r.j.K, t, a)
	e.Ready = r.sched.Ready()
	if m != nil {
		e.Seat = m.index
	}
	r.j.p.cfg.Trace(e)
}

// newEvent describes a task of the master.
func newEvent(s *Spec, k int64, t shmmat.Task, a shmmat.Answer) Event {
	e := Event{Job: s.Name, Seat: -1, Kind: t.Kind, ID: t.ID, Rect: t.Rect, Sent: t.Sent, Begin: a.Begin, End: a.End}
	if t.Kind == tiling.Multiply {
		e.Flops = t.Rect.Flops(k)
	}
	return e
}

// traceAlone tells of a job that the master did as one tile.
func (p *Pool) traceAlone(s *Spec, j *shmmat.Job, rep Report) {
	if p.cfg.Trace == nil {
		return
	}
	end := sys.Monotonic()
	begin := end - rep.Wall.Nanoseconds()
	t := shmmat.Task{Kind: tiling.Multiply, Rect: tiling.Rect{R1: j.M, C1: j.N}, Sent: begin}
	p.cfg.Trace(newEvent(s, j.K, t, shmmat.Answer{Begin: begin, End: end}))
}

// now is when a task is handed out, if somebody follows the pool.
func (p *Pool) now() int64 {
	if p.cfg.Trace == nil {
		return 0
	}
	return sys.Monotonic()
}
