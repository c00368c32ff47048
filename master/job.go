package master

import (
	"context"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// A Job is a planned job with its memory set aside in a pool, until Close.
type Job struct {
	*Plan
	p      *Pool
	id     uint32
	home   *dataSegment // nil if all that it uses is kept or in files
	closed bool
	record shmmat.Job
}

// Prepare sets aside the memory of a job and announces its files. Memory that no
// job uses any more is used again, or given back if it does not fit. The errors
// wrap shmmat.ErrUnavailable if the memory is not to be had, ErrTooManyJobs,
// ErrWorkersLost or ErrClosed.
func (p *Pool) Prepare(ctx context.Context, plan *Plan) (*Job, error) {
	j := &Job{Plan: plan, p: p}
	if !plan.Layout.Empty() {
		var err error
		if j.home, err = p.house(ctx, plan.Layout, false); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.register(j); err != nil {
		j.home.vacate()
		return nil, err
	}
	j.record = plan.record(j.id, j.home.id())
	if a, ok := plan.files(j.id); ok {
		p.announce(a)
	}
	if !j.isAlone() {
		p.board.Publish(j.record)
	}
	return j, nil
}

// register gives a job an id whose record is free.
func (p *Pool) register(j *Job) error {
	if p.closed {
		return ErrClosed
	}
	for range shmmat.Jobs {
		p.jobs++
		if bit := uint64(1) << (p.jobs % shmmat.Jobs); p.slots&bit == 0 {
			p.slots |= bit
			j.id = p.jobs
			return nil
		}
	}
	return ErrTooManyJobs
}

// ID returns the number of the job in its pool, by which the scoreboard counts.
func (j *Job) ID() uint32 { return j.id }

// Close takes back the job's files: workers drop their descriptors with the
// next task that they get. The memory stays for the next job. It must not be
// called while the job runs.
func (j *Job) Close() {
	p := j.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if j.closed || p.closed {
		return
	}
	j.closed = true
	if _, ok := j.files(j.id); ok {
		p.retract(shmmat.Files, j.id, shmmat.Message{Verb: shmmat.Forget, Number: j.id})
	}
	j.home.vacate()
	p.slots &^= 1 << (j.id % shmmat.Jobs)
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

// Run does the job, beside others that run. It can be called again: the result
// is then computed anew. The errors are a *FileError, ErrFault, ErrWorkersLost,
// ErrWrong, a *DamageError or the context's cause; C is then unspecified, and no
// worker is writing to it.
func (j *Job) Run(ctx context.Context) (Report, error) {
	if !j.isAlone() {
		j.p.rouse()
	}
	return j.run(ctx)
}

// run is Run once the workers are awake.
func (j *Job) run(ctx context.Context) (Report, error) {
	p := j.p
	if j.isAlone() {
		if err := p.lock(ctx); err != nil {
			return Report{}, err
		}
		defer p.mu.Unlock()
		rep, err := p.alone(j.home, &j.record)
		p.traceAlone(&j.Spec, &j.record, rep)
		return rep, err
	}
	r := newRun(j)
	if err := p.lock(ctx); err != nil {
		return Report{}, err
	}
	alone := len(p.errands) == 0
	if j.Small && alone && r.pace == nil {
		r.here = p.here
	}
	deaths := p.deaths
	var err error
	if r.sched.Left() > 0 {
		e := p.enlist(ctx, j.Priority, r)
		p.mu.Unlock()
		err = p.await(e)
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	r.rep.Wall = time.Duration(sys.Monotonic() - r.start)
	r.rep.Deaths = p.deaths - deaths
	if alone && err == nil {
		p.learn(r.rates, r.rep.Wall)
	}
	return r.rep, err
}

// run is a job being done: the private task table.
type run struct {
	j       *Job
	sched   *tiling.Schedule
	pace    *tiling.Pace // of the members, by seat; nil if the master computes: it cannot hand out parts meanwhile
	rates   []float64    // at which each member did its strip, in operations a nanosecond; nil if there are no strips
	here    int          // seat whose place the master takes; −1 if it does not compute
	start   int64
	rep     Report
	repairs repairs
}

func newRun(j *Job) *run {
	r := &run{j: j, sched: tiling.NewSchedule(j.Plan.Plan), here: -1, start: sys.Monotonic()}
	var speeds []float64
	computes := j.Small
	if workers := len(j.p.members); j.Strips() && j.Tasks() == workers {
		var unsteady float64
		speeds, unsteady = j.p.speeds()
		r.rates = make([]float64, workers)
		computes = !r.sched.HoldBack(holds*unsteady) && computes
	}
	if !computes {
		r.pace = tiling.NewPace(j.Plan.Plan, len(j.p.members), speeds)
	}
	return r
}

// queued is how many tasks a worker is given at least, if there are as many:
// one to work on, one to go on with. Short ones follow up to as many as its
// mailbox holds. Towards the end a worker gets no task ahead, and behind a tile of
// longFlops none ever, so that none lies waiting there while a worker idles: to
// hear of the next one takes some ten microseconds.
const (
	queued    = 2
	longFlops = 1e9
)

func (r *run) next(m *member) (t shmmat.Task, ok, hold bool) {
	tile, long := false, false
	if last := len(m.held) - 1; last >= 0 {
		h := &m.held[last]
		tile = h.Kind == tiling.Multiply
		long = tile && h.Rect.Flops(r.j.K) >= longFlops
	}
	switch {
	case r.sched.Ready()+len(r.repairs.queue) == 0, m.index == r.here:
		return t, false, false
	case len(m.held) >= shmmat.Depth-1, tile && len(m.held) >= queued, long:
		return t, false, true
	case len(m.held) > 0 && r.sched.Ready() <= len(r.j.p.members):
		return t, false, true
	}
	now := sys.Monotonic()
	id, ok := r.nextFor(m, r.pace.Share(m.index, r.sched.Open(), now))
	if !ok {
		return t, false, false
	}
	if t = r.task(id); t.Kind == tiling.Multiply {
		r.pace.Took(m.index, t.Rect.Flops(r.j.K), now)
	}
	return t, true, false
}

func (r *run) task(id int) shmmat.Task {
	return shmmat.Task{Job: r.j.id, Kind: r.sched.Kind(id), ID: int64(id), Rect: r.sched.Rect(id), Sent: r.j.p.now()}
}

func (r *run) done(m *member, t shmmat.Task, a shmmat.Answer) {
	if t.Kind == tiling.Multiply {
		seat, flops := r.here, t.Rect.Flops(r.j.K)
		if m != nil {
			seat = m.index
			r.pace.Did(seat, flops, sys.Monotonic())
		}
		if r.rates != nil && int(t.ID) < r.j.Tasks() {
			r.rates[seat] = flops / float64(a.End-a.Begin)
		}
	}
	if a.Status == shmmat.Wrong {
		r.wrong(m, t, a)
		return
	}
	if r.repacked(int(t.ID), true, a.End) {
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
	if filled := r.j.Filled; filled != nil && (t.Kind == tiling.PackA || t.Kind == tiling.PackB) {
		filled(t.Kind, t.Rect, uint32(a.Value))
	}
	if r.j.p.cfg.Trace != nil {
		r.trace(m, t, a)
	}
}

func (r *run) lost(m *member, t shmmat.Task) {
	r.pace.Lost(m.index)
	if !r.repacked(int(t.ID), false, 0) {
		r.sched.Again(int(t.ID))
	}
}

func (r *run) finished() bool { return r.sched.Left() == 0 }
