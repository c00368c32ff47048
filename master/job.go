package master

import (
	"context"
	"time"

	"matmul/internal/elem"
	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// A Job is a planned job with its memory set aside in a pool. One job lives in
// a pool at a time: Prepare of the next makes it stale.
type Job struct {
	*Plan
	p      *Pool
	id     uint32
	record shmmat.Job
}

// Prepare sets aside the memory of a job and announces its files. The errors
// wrap shmmat.ErrUnavailable if the memory is not to be had, ErrWorkersLost or
// ErrClosed.
func (p *Pool) Prepare(ctx context.Context, plan *Plan) (*Job, error) {
	release, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := p.house(ctx, plan.Layout, false); err != nil {
		return nil, err
	}
	p.jobs++
	j := &Job{Plan: plan, p: p, id: p.jobs, record: plan.record(p.jobs, p.data.number)}
	if a, ok := plan.files(j.id); ok {
		p.announce(a)
	}
	if !j.isAlone() {
		p.board.Publish(j.record)
	}
	return j, nil
}

// Close takes back the job's files: workers drop their descriptors with the
// next task that they get. The memory stays for the next job.
func (j *Job) Close() {
	j.p.mu.Lock()
	defer j.p.mu.Unlock()
	if _, ok := j.files(j.id); ok && !j.p.closed {
		j.p.retract(shmmat.Files, j.id, shmmat.Message{Verb: shmmat.Forget, Number: j.id})
	}
}

// Elements returns the memory of a region of the data segment as elements: to
// fill operands that are handed over in memory between Prepare (or Reserve) and
// Run, and to read C after it. It is the whole region, which is longer than the
// matrix. It is valid until the next Prepare that needs more, or Close.
func Elements[T elem.Float](p *Pool, r shmmat.Region) ([]T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, err := p.dataView()
	if err != nil {
		return nil, err
	}
	return elem.Slice[T](v.Bytes(r)), nil
}

// Report is what running a job took.
type Report struct {
	Wall   time.Duration                      // from the call of Run to its return
	Busy   [tiling.Store + 1]time.Duration    // sum over the workers, by kind of task
	Span   [tiling.Store + 1][2]time.Duration // first begin and last end since the call of Run, by kind
	Tasks  int                                // done, without repetitions
	Deaths int                                // of workers during the job
	// Wrong is how many tiles failed their check and were done again, and Retired
	// how many workers had too many of them; see Spec.ABFT.
	Wrong, Retired int
}

// Run does the job. It can be called again: the result is then computed anew.
// The errors are a *FileError, ErrFault, ErrWorkersLost, ErrWrong or the context's
// cause; C is then unspecified, and no worker is writing to it.
func (j *Job) Run(ctx context.Context) (Report, error) {
	release, err := j.p.acquire(ctx)
	if err != nil {
		return Report{}, err
	}
	defer release()
	if j.isAlone() {
		return j.p.alone(&j.record)
	}
	r := newRun(j)
	deaths := j.p.deaths
	if r.sched.Left() > 0 {
		err = j.p.drive(ctx, r)
	}
	r.rep.Wall = time.Duration(sys.Monotonic() - r.start)
	r.rep.Deaths = j.p.deaths - deaths
	return r.rep, err
}

// run is a job being done: the private task table.
type run struct {
	j       *Job
	sched   *tiling.Schedule
	here    int // seat whose place the master takes; −1 if it does not compute
	start   int64
	rep     Report
	repairs repairs
}

func newRun(j *Job) *run {
	r := &run{j: j, sched: tiling.NewSchedule(j.Plan.Plan), here: -1, start: sys.Monotonic()}
	if j.Small {
		r.here = j.p.seatHere()
	}
	return r
}

// queued is how many tasks a worker is given at least, if there are as many:
// one to work on, one to go on with. Short ones follow up to as many as its
// mailbox holds. Towards the end a worker gets no long task ahead, so that none
// lies waiting behind another while a worker idles.
const queued = 2

func (r *run) next(m *member) (shmmat.Task, bool) {
	long := len(m.held) > 0 && m.held[len(m.held)-1].Kind == tiling.Multiply
	switch {
	case m.index == r.here:
		return shmmat.Task{}, false
	case len(m.held) >= shmmat.Depth-1, long && len(m.held) >= queued:
		return shmmat.Task{}, false
	case len(m.held) > 0 && r.sched.Ready() <= len(r.j.p.members):
		return shmmat.Task{}, false
	}
	id, ok := r.nextFor(m)
	if !ok {
		return shmmat.Task{}, false
	}
	return r.task(id), true
}

func (r *run) task(id int) shmmat.Task {
	return shmmat.Task{Job: r.j.id, Kind: r.j.Kind(id), ID: int64(id), Rect: r.j.Rect(id)}
}

func (r *run) done(m *member, t shmmat.Task, a shmmat.Answer) {
	if a.Status == shmmat.Wrong {
		r.wrong(m, t, a)
		return
	}
	if r.repacked(int(t.ID), true) {
		return
	}
	r.sched.Done(int(t.ID))
	r.rep.Tasks++
	begin, end := time.Duration(a.Begin-r.start), time.Duration(a.End-r.start)
	span := &r.rep.Span[t.Kind]
	if r.rep.Busy[t.Kind] == 0 || begin < span[0] {
		span[0] = begin
	}
	span[1] = max(span[1], end)
	r.rep.Busy[t.Kind] += end - begin
	if stored := r.j.Out.Stored; stored != nil && t.Kind == tiling.Store {
		stored(t.Rect, uint32(a.Value))
	}
}

func (r *run) lost(t shmmat.Task) {
	if !r.repacked(int(t.ID), false) {
		r.sched.Again(int(t.ID))
	}
}

func (r *run) finished() bool { return r.sched.Left() == 0 }
