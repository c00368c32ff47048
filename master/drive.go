package master

import (
	"context"
	"fmt"
	"time"

	"matmul/shmmat"
)

// work is what a pool is driven for: a job, a measurement, or nothing but
// telling the news.
type work interface {
	// next returns a task for a worker that already holds some; false if there
	// is none for it now.
	next(m *member) (shmmat.Task, bool)
	// own does a task on the master's own thread, if it should, and reports
	// whether it did.
	own() (did bool, err error)
	// done takes the answer to a task that next returned.
	done(m *member, t shmmat.Task, a shmmat.Answer)
	// lost takes back a task that next returned and whose worker has died.
	lost(t shmmat.Task)
	// finished reports whether there is nothing left to hand out or to wait
	// for but what workers hold.
	finished() bool
}

// leave is how long a worker may go on with its task after the context ended.
const leave = 200 * time.Millisecond

// abandon kills the workers that hold tasks. Others come into their places.
func (p *Pool) abandon() {
	for _, m := range p.members {
		if len(m.held) > 0 {
			m.doubt(errAbandoned)
		}
	}
}

// ownSpin is how long the master looks for the answers of others after it has
// done its own part, on a processor that no worker needs meanwhile.
const ownSpin = 200 * time.Microsecond

// nap bounds a sleep of the master: see shmmat.Bell.
const nap = 100 * time.Millisecond

// drive hands out the tasks of w until it is finished and no worker holds a
// task. After an error, or when ctx ends, it hands out no more and returns
// when no worker holds one; workers that keep a cancelled job waiting are
// killed.
func (p *Pool) drive(ctx context.Context, w work) error {
	stop := context.AfterFunc(ctx, func() { p.board.Bell().Ring() })
	defer stop()
	spin, yield := p.cfg.Spin, p.cfg.Yield
	if yield {
		spin = 0 // it would take the processor from the worker that it waits for
	}
	var err error
	var late <-chan time.Time // when a cancelled task has had its time
	for {
		err = firstError(err, p.heed(w))
		err = firstError(err, p.collect(w))
		err = firstError(err, p.watch())
		if err == nil && ctx.Err() != nil {
			err, late = context.Cause(ctx), time.After(leave)
		}
		select {
		case <-late:
			p.abandon()
		default:
		}
		if err == nil {
			p.feed(w)
			var did bool
			if did, err = w.own(); did {
				spin, yield = ownSpin, false
				continue
			}
		}
		if !p.busy(err == nil) && (err != nil || w.finished()) {
			return err
		}
		if waitErr := p.wait(ctx, err == nil, spin, yield); waitErr != nil {
			return waitErr
		}
	}
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// busy reports whether a worker holds a task, or, where more is handed out, has
// news to be told.
func (p *Pool) busy(handing bool) bool {
	for _, m := range p.members {
		if len(m.held) > 0 || handing && len(m.todo) > 0 {
			return true
		}
	}
	return false
}

// wait returns when there is an answer or an event, when ctx ends (if that is
// news), or after a nap.
func (p *Pool) wait(ctx context.Context, heedCtx bool, spin time.Duration, yield bool) error {
	news := func() bool {
		for _, m := range p.members {
			if m.state == ready && m.end.Waiting() {
				return true
			}
		}
		return len(p.events) > 0 || heedCtx && ctx.Err() != nil
	}
	return p.board.Bell().Wait(news, spin, p.beat(), yield)
}

// feed hands out tasks: first the news, then one task to each worker, then
// further ones that wait in its mailbox.
func (p *Pool) feed(w work) {
	for _, m := range p.members {
		if m.state == ready {
			m.inform()
		}
	}
	for depth := 1; depth <= shmmat.Depth; depth++ {
		handed := false
		for _, m := range p.members {
			if m.state != ready || len(m.todo) > 0 || len(m.held) >= depth {
				continue
			}
			if t, ok := w.next(m); ok {
				m.send(t)
				handed = true
			}
		}
		if !handed && depth > 1 {
			return
		}
	}
}

// collect takes all answers.
func (p *Pool) collect(w work) (err error) {
	for _, m := range p.members {
		if m.state == ready {
			err = firstError(err, p.answers(m, w))
		}
	}
	return err
}

// answers takes the answers of one worker. Those to what it was told come back
// here; those to tasks go to w.
func (p *Pool) answers(m *member, w work) (err error) {
	for len(m.held) > 0 {
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
		reached("master.answer", t)
		if t.Kind != shmmat.Attend && p.loss.deaths > 0 {
			p.loss = loss{}
		}
		if a.Status != shmmat.Done {
			err = firstError(err, p.trouble(m, t, a))
			continue
		}
		if t.Kind != shmmat.Attend {
			w.done(m, t, a)
		}
		reached("master.noted", t)
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
func (p *Pool) heed(w work) (err error) {
	for {
		select {
		case e := <-p.events:
			switch {
			case e.epoch != e.m.epoch, e.line != nil && e.m.state != starting:
				e.discard()
			case e.ended:
				err = firstError(err, p.bury(e, w))
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
func (p *Pool) bury(e event, w work) (err error) {
	m := e.m
	if m.state == ready {
		err = p.answers(m, w)
	}
	for _, t := range m.held {
		if t.Kind != shmmat.Attend {
			w.lost(t)
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
		err = firstError(err, &lossError{p.loss, p.oomKills() - p.oomFirst})
		p.loss = loss{} // the next job tries anew
	}
	p.start(m)
	return err
}
