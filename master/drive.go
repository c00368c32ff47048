package master

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// Whoever has work for the pool enters an errand and waits until it is over.
// One of those who wait has the wheel: it talks to the workers for all of them.
// When its own errand is over it gives the wheel to another. The mutex is held
// while the table of errands and what workers are told change, and not while
// the one at the wheel sleeps; it is woken by [Pool.poke].

// work is what a pool is driven for: a job, a measurement, or nothing but
// telling the news.
type work interface {
	// next returns a task for a worker that already holds some; false if there
	// is none for it now. With hold there are some, which are not to wait behind
	// what the worker holds: nothing that comes after them is given to it either.
	next(m *member) (t shmmat.Task, ok, hold bool)
	// own does a task on the master's own thread, if it should, and reports
	// whether it did.
	own() (did bool, err error)
	// done takes the answer to a task that next returned: that it is done, or that
	// its result is wrong.
	done(m *member, t shmmat.Task, a shmmat.Answer)
	// lost takes back a task that next returned and whose worker has died.
	lost(m *member, t shmmat.Task)
	// finished reports whether there is nothing left to hand out or to wait
	// for but what workers hold.
	finished() bool
}

// An errand is work that a goroutine waits for.
type errand struct {
	work
	ctx      context.Context
	priority uint8
	out      int           // tasks of it that workers hold
	err      error         // why no more of it is handed out
	patience int64         // sys.Monotonic time when workers that hold up its end are killed
	over     chan struct{} // closed when it has ended, with all that workers held
}

// poolPriority is that of the pool's own work, which is short: before all jobs.
const poolPriority = shmmat.Priorities

// leave is how long workers may go on with a task after its context ended.
const leave = 200 * time.Millisecond

// ownSpin is how long the master looks for the answers of others after it has
// done its own part, on a processor that no worker needs meanwhile.
const ownSpin = 200 * time.Microsecond

// nap bounds a sleep of the master: see shmmat.Bell.
const nap = 100 * time.Millisecond

// drive hands out the tasks of w until it is finished and no worker holds a
// task of it. After an error, or when ctx ends, no more is handed out, and it
// returns when no worker holds one; workers that keep cancelled work waiting are
// killed.
func (p *Pool) drive(ctx context.Context, priority uint8, w work) error {
	if err := p.lock(ctx); err != nil {
		return err
	}
	e := p.enlist(ctx, priority, w)
	p.mu.Unlock()
	return p.await(e)
}

// enlist enters work behind what has its priority or a higher one. The caller
// holds the mutex, and awaits the errand.
func (p *Pool) enlist(ctx context.Context, priority uint8, w work) *errand {
	e := &errand{work: w, ctx: ctx, priority: priority, patience: math.MaxInt64, over: make(chan struct{})}
	i := len(p.errands)
	for i > 0 && p.errands[i-1].priority < priority {
		i--
	}
	p.errands = slices.Insert(p.errands, i, e)
	return e
}

// await returns when the errand is over. It drives the pool if nobody else does.
func (p *Pool) await(e *errand) error {
	stop := context.AfterFunc(e.ctx, p.poke)
	defer stop()
	p.poke()
	select {
	case <-e.over:
	case <-p.wheel:
		defer p.letGo(e)
		p.steer(e.over)
	}
	return e.err
}

// letGo gives the wheel away. If the errand is not over, a panic passes here, of
// arithmetic that the master did itself; nobody is to wait for what it did not do.
func (p *Pool) letGo(e *errand) {
	select {
	case <-e.over:
	default:
		p.giveUp(errPanic)
	}
	p.wheel <- struct{}{}
}

// rouse wakes the workers, but for the one on the master's processor: there will be
// tasks for them at once, and to wake up takes them as long as it takes to plan these.
func (p *Pool) rouse() {
	if len(p.members) < 2 || !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.here = p.seatHere() // once for all that follows: it takes a microsecond
	for _, m := range p.members {
		if m.state == ready && m.index != p.here {
			m.end.Rouse()
		}
	}
}

// poke tells the one at the wheel that there is something to look at.
func (p *Pool) poke() {
	p.poked.Store(true)
	p.board.Bell().Ring()
}

// steer drives the pool until the channel is closed.
func (p *Pool) steer(until <-chan struct{}) {
	if p.cfg.Own {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	hurry := p.cfg.Own
	spin, yield := p.cfg.Spin, p.cfg.Yield
	if yield {
		spin = 0 // it would take the processor from the worker that it waits for
	}
	for {
		p.poked.Store(false)
		did := p.round()
		select {
		case <-until:
			return
		default:
		}
		if did {
			spin, yield = ownSpin, false
			continue
		}
		if hurry { // now, and not before the first tasks are handed out
			p.hurry()
			hurry = false
		}
		look, offer := spin, yield
		if yield && p.freeHere() {
			look, offer = ownSpin, false
		}
		if err := p.board.Bell().Wait(p.stirs, look, p.beat(), offer); err != nil {
			p.giveUp(err)
		}
	}
}

// freeHere reports whether the worker on the master's processor has nothing to do.
func (p *Pool) freeHere() bool {
	here := p.seatHere()
	return p.pins != nil && p.members[here].state == ready && len(p.members[here].held) == 0
}

// hurry lets the thread at the wheel, which is locked, be woken promptly.
func (p *Pool) hurry() {
	if t := sys.Thread(); t != p.prompt {
		sys.SetSlice(slice)
		p.prompt = t
	}
}

// stirs reports whether there is an answer, an event or a change of the errands.
// It is asked by the one at the wheel, who alone changes what it reads.
func (p *Pool) stirs() bool {
	for _, m := range p.members {
		if m.state == ready && m.end.Waiting() {
			return true
		}
	}
	return len(p.events) > 0 || p.poked.Load()
}

// round takes what has come, hands out what can be done, and does a task here
// if one is to be done here. It reports whether one was.
func (p *Pool) round() (did bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.heed()
	err = cmp.Or(err, p.collect())
	err = cmp.Or(err, p.watch())
	for _, e := range p.errands {
		if err != nil {
			e.fail(err)
		}
		p.heedContext(e)
	}
	p.feed()
	did = p.doOwn()
	p.errands = slices.DeleteFunc(p.errands, func(e *errand) bool {
		if e.out > 0 || e.err == nil && !e.finished() {
			return false
		}
		close(e.over)
		return true
	})
	return did
}

// fail ends the handing out of an errand's tasks.
func (e *errand) fail(err error) { e.err = cmp.Or(e.err, err) }

// heedContext ends an errand whose context has ended. Workers that still hold
// tasks of it a while later are killed; others come into their places.
func (p *Pool) heedContext(e *errand) {
	now := sys.Monotonic()
	if e.err == nil && e.ctx.Err() != nil {
		e.fail(context.Cause(e.ctx))
		e.patience = now + leave.Nanoseconds()
	}
	if now < e.patience {
		return
	}
	e.patience = math.MaxInt64
	for _, m := range p.members {
		if slices.ContainsFunc(m.held, func(h held) bool { return h.of == e }) {
			m.doubt(errAbandoned)
		}
	}
}

// doOwn does a task of the first errand that has one for the master.
func (p *Pool) doOwn() bool {
	for _, e := range p.errands {
		if e.err != nil {
			continue
		}
		did, err := e.own()
		if err != nil {
			e.fail(err)
		}
		if did {
			return true
		}
	}
	return false
}

// giveUp ends all errands at once, since the pool cannot be driven any more.
func (p *Pool) giveUp(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = err
	for _, e := range p.errands {
		e.fail(err)
		close(e.over)
	}
	p.errands = nil
}

// feed hands out tasks: first the news, then one task to each worker, then
// further ones that wait in its mailbox. The worker on the processor that the master
// runs on comes last: once awake, it may keep the master from the others for milliseconds.
func (p *Pool) feed() {
	for _, m := range p.members {
		if m.state == ready {
			m.inform()
		}
	}
	for depth := 1; depth <= shmmat.Depth; depth++ {
		handed := false
		for i := range p.members {
			m := p.members[(p.here+1+i)%len(p.members)]
			if m.state == ready && len(m.todo) == 0 && len(m.held) < depth {
				handed = p.hand(m) || handed
			}
		}
		if !handed && depth > 1 {
			return
		}
	}
}

// hand gives a worker the first task that there is for it.
func (p *Pool) hand(m *member) bool {
	for _, e := range p.errands {
		if e.err != nil {
			continue
		}
		t, ok, hold := e.next(m)
		if ok {
			e.out++
			m.send(held{t, e})
			return true
		}
		if hold {
			return false
		}
	}
	return false
}

// collect takes all answers.
func (p *Pool) collect() (err error) {
	for _, m := range p.members {
		if m.state == ready {
			err = cmp.Or(err, p.answers(m))
		}
	}
	return err
}

// answers takes the answers of one worker. A bad one ends the errand that the
// task is of; it is an error if the worker could not do what it was told.
func (p *Pool) answers(m *member) (err error) {
	for len(m.held) > 0 && m.state == ready { // or an errand has come to doubt it
		a, ok := m.end.Take()
		if !ok {
			return err
		}
		t := m.held[0]
		if a.Job != t.Job || a.ID != t.ID {
			m.doubt(fmt.Errorf("answered to task %d of job %d and was asked for task %d of job %d: killed", a.ID, a.Job, t.ID, t.Job))
			return err
		}
		p.heard(m)
		m.held = m.held[1:]
		reached("master.answer", t.Task)
		if t.of == nil {
			if a.Status != shmmat.Done {
				err = cmp.Or(err, p.trouble(m, t.Task, a))
			}
			continue
		}
		p.loss = loss{}
		t.of.out--
		if a.Status != shmmat.Done && (a.Status != shmmat.Wrong || t.Kind != tiling.Multiply) {
			t.of.fail(p.trouble(m, t.Task, a))
			continue
		}
		t.of.done(m, t.Task, a)
		reached("master.noted", t.Task)
	}
	return err
}

// trouble makes an error of a bad answer and the text that goes with it.
func (p *Pool) trouble(m *member, t shmmat.Task, a shmmat.Answer) error {
	msg, _, err := m.line.Receive()
	if err != nil {
		return fmt.Errorf("worker %d failed to %s and could not say why: %w", m.index, t.Kind, err)
	}
	switch {
	case a.Status == shmmat.Fault:
		return fmt.Errorf("%w: worker %d: %s", ErrFault, m.index, msg.Text)
	case msg.Role != "":
		return &FileError{Role: msg.Role, Path: p.path(t.Job, msg.Role), Status: a.Status, Text: msg.Text}
	}
	return fmt.Errorf("worker %d: %s", m.index, msg.Text)
}

// path returns the name of a job's file, as it was announced.
func (p *Pool) path(job uint32, role shmmat.Role) string {
	for _, a := range p.news {
		if a.m.Verb != shmmat.Files || a.m.Number != job {
			continue
		}
		for i, r := range a.m.Which {
			if r == role {
				return a.files[i].Name()
			}
		}
	}
	return string(role)
}

// heed takes the events: workers that came, workers that ended.
func (p *Pool) heed() (err error) {
	for {
		select {
		case e := <-p.events:
			switch {
			case e.epoch != e.m.epoch, e.line != nil && e.m.state != starting:
				e.discard()
			case e.ended:
				err = cmp.Or(err, p.bury(e))
			case e.line == nil:
				e.m.proc = e.proc
			default:
				p.joined(e.m, e.line)
			}
		default:
			return err
		}
	}
}

// bury takes from a dead worker what it had finished, gives back what it had
// not, and starts another in its seat. The process has been reaped: it writes
// no more.
func (p *Pool) bury(e event) (err error) {
	m := e.m
	if m.state == ready {
		err = p.answers(m)
	}
	for _, t := range m.held {
		if t.of != nil {
			t.of.out--
			t.of.lost(m, t.Task)
		}
	}
	m.held, m.todo = nil, nil
	how := e.how
	if m.why != nil {
		how = m.why
	}
	m.hangUp()
	p.board.Clear(m.index)
	p.deaths++
	p.loss.add(how)
	if p.loss.deaths > 3*len(p.members)+5 {
		err = cmp.Or[error](err, &lossError{p.loss, p.oomKills() - p.oomFirst})
		p.loss = loss{} // the next job tries anew
	}
	p.start(m)
	return err
}
