package shmmat

import (
	"sync/atomic"

	"matmul/tiling"
)

// Priorities is the number of job priorities, 0 (last) to 9 (first).
const Priorities = 10

// score is one worker's part of the scoreboard. Only that worker writes it,
// so nothing is ever lost between a load and a store; readers sum over the
// workers. The master clears it after the worker's death, when nobody writes.
type score struct {
	active   [Priorities]atomic.Uint64 // tasks begun and not ended
	finished [Priorities]atomic.Uint64
	busy     atomic.Uint64 // nanoseconds of tasks that have ended
	_        [24]byte
}

// progress is what one worker has done of one job: that of the jobs whose ids
// are equal modulo Jobs which it worked for last. Only that worker writes it.
type progress struct {
	job          atomic.Uint32
	tasks, tiles atomic.Uint32
	_            [4]byte
	elements     atomic.Uint64
	_            [8]byte
}

// record is what a worker does now, under a sequence lock: odd while it is
// being written. A worker that dies in between leaves it odd, and readers give
// up after a bounded number of tries.
type record struct {
	version atomic.Uint64
	job     atomic.Uint64 // job<<32 | kind; kind 0 is idle
	task    atomic.Int64
	begin   atomic.Int64 // sys.Monotonic nanoseconds
	_       [32]byte
}

// Tally is the sum over all workers for one priority. It is for people to
// look at: nothing may be decided by it.
type Tally struct{ Active, Finished uint64 }

// Progress is what is done of a job.
type Progress struct {
	Tasks    int64 // of all kinds
	Tiles    int64 // MULTIPLY tasks
	Elements int64 // of C, that they computed
}

// Activity is what a worker was doing when the scoreboard was read.
type Activity struct {
	Job   uint32
	Kind  tiling.Kind // 0: waiting for a task
	Task  int64
	Begin int64 // sys.Monotonic nanoseconds
}

func (r *record) set(a Activity) {
	r.version.Add(1)
	r.job.Store(uint64(a.Job)<<32 | uint64(a.Kind))
	r.task.Store(a.Task)
	r.begin.Store(a.Begin)
	r.version.Add(1)
}

// tries bounds how often a reader of a record starts again.
const tries = 100

func (r *record) get() (Activity, bool) {
	for range tries {
		v := r.version.Load()
		if v%2 == 1 {
			continue
		}
		jk := r.job.Load()
		a := Activity{Job: uint32(jk >> 32), Kind: tiling.Kind(jk), Task: r.task.Load(), Begin: r.begin.Load()}
		if r.version.Load() == v {
			return a, true
		}
	}
	return Activity{}, false
}

func (r *record) clear() {
	r.version.Store(0)
	r.job.Store(0)
	r.task.Store(0)
	r.begin.Store(0)
}

// begin and end bracket a task. Each counter has one writer, so a load and a
// store do; the atomics are for the readers.
func (s *score) begin(priority uint8) { add(&s.active[priority], 1) }

func (s *score) end(priority uint8, took int64) {
	add(&s.active[priority], ^uint64(0))
	add(&s.finished[priority], 1)
	add(&s.busy, uint64(max(took, 0)))
}

// done counts a task that is done. Whoever reads the counts of a job may miss
// them while the worker turns to another one: a count never belongs to the
// wrong job.
func (p *progress) done(t Task) {
	if p.job.Load() != t.Job {
		p.job.Store(0)
		p.tasks.Store(0)
		p.tiles.Store(0)
		p.elements.Store(0)
		p.job.Store(t.Job)
	}
	p.tasks.Store(p.tasks.Load() + 1)
	if t.Kind == tiling.Multiply {
		p.tiles.Store(p.tiles.Load() + 1)
		add(&p.elements, uint64(t.Rect.Rows()*t.Rect.Cols()))
	}
}

// of returns the counts of a job; none if the worker has turned to another one.
func (p *progress) of(job uint32) (r Progress) {
	if p.job.Load() != job {
		return Progress{}
	}
	r = Progress{Tasks: int64(p.tasks.Load()), Tiles: int64(p.tiles.Load()), Elements: int64(p.elements.Load())}
	if p.job.Load() != job {
		return Progress{}
	}
	return r
}

func add(c *atomic.Uint64, d uint64) { c.Store(c.Load() + d) }

func (s *score) clear() {
	for p := range Priorities {
		s.active[p].Store(0)
		s.finished[p].Store(0)
	}
}
