package master

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// A worker that computes gives a sign of progress every few milliseconds, with
// the slowest kernel every few hundred. One that gives none for longer than the
// stall limit is killed, and its tasks are given to others when it is reaped.
// The limit that nobody set follows the machine: it is leastStall, or
// stallFactor times the longest silence that ended by itself.
const (
	leastStall  = 10 * time.Second
	stallFactor = 5
)

// stall returns the limit of silence for workers that compute.
func (p *Pool) stall() time.Duration {
	if p.cfg.Stall > 0 {
		return p.cfg.Stall
	}
	return max(leastStall, stallFactor*p.silence)
}

// dying returns how long a killed process may take to end. What takes longer
// waits for a device that does not answer.
func (p *Pool) dying() time.Duration { return 3 * p.stall() }

// beat is how often the master looks after its workers: often enough for the
// limits that it keeps.
func (p *Pool) beat() time.Duration {
	b := min(nap, p.stall()/4)
	if p.cfg.IOTimeout > 0 {
		b = min(b, p.cfg.IOTimeout/4)
	}
	return b
}

// watch looks after the workers, if a beat has passed since the last time.
//
// Silence is counted in beats of the master: whatever the clock says, a look
// adds two of them at most. While the whole job is suspended (by Ctrl-Z, a
// frozen control group, a machine that sleeps) the master does not look, and
// no worker grows silent.
func (p *Pool) watch() (err error) {
	now, beat := sys.Monotonic(), p.beat()
	passed := time.Duration(now - p.watched)
	if passed < beat {
		return nil
	}
	p.watched = now
	for _, m := range p.members {
		err = cmp.Or(err, p.watchOne(m, min(passed, 2*beat)))
	}
	return err
}

// watchOne counts a worker's silence and acts on it. An error means that a
// process does not end although it was killed, so that its tasks can be given
// to nobody.
func (p *Pool) watchOne(m *member, passed time.Duration) error {
	if m.pid.Load() == 0 || m.state == undying {
		return nil // nobody there, or a goroutine, which cannot be ended
	}
	if m.state == ready {
		if len(m.held) == 0 {
			return nil
		}
		if s := m.end.Steps(); s != m.steps {
			m.steps = s
			p.heard(m)
			return nil
		}
	}
	m.silent += passed
	if m.state != doubted {
		if why := p.stalled(m); why != nil {
			m.doubt(why)
		}
		return nil
	}
	if m.silent <= p.dying() {
		return nil
	}
	m.state = undying
	for _, h := range m.held {
		if h.of != nil {
			h.of.out--
		}
	}
	m.held, m.todo = nil, nil
	p.broken = fmt.Errorf("%w: worker %d (process %d) was killed %v ago and does not end; it waits for a disk or another device",
		ErrWorkersLost, m.index, m.pid.Load(), p.dying())
	return p.broken
}

// heard notes a sign of progress of a worker that holds a task.
func (p *Pool) heard(m *member) {
	if m.silent > p.silence && computes(m.held[0].Kind) {
		p.silence = m.silent
	}
	m.silent = 0
}

// computes reports whether a task of a kind needs nothing but a processor and
// memory, and waits reports whether it may wait for a disk.
func computes(k tiling.Kind) bool { return !waits(k) && k != shmmat.Attend }
func waits(k tiling.Kind) bool    { return k <= tiling.Store && k != tiling.Multiply }

// stalled returns why a silent worker is to be killed; nil if it is not. One
// that waits for a disk may wait, unless there is a limit for that; but a
// process that was stopped waits for nothing.
func (p *Pool) stalled(m *member) error {
	what, compute, disk := "start", false, false
	if m.state == ready {
		k := m.held[0].Kind
		what, compute, disk = taskName(k), computes(k), waits(k)
	}
	stall, patience := p.stall(), p.cfg.IOTimeout
	switch {
	case m.silent > stall && (compute || sys.Stopped(int(m.pid.Load()))):
		return fmt.Errorf("no progress for %v (stopped, or stuck) while it was to %s: killed", stall, what)
	case disk && patience > 0 && m.silent > patience:
		return fmt.Errorf("no progress for %v, the limit for input and output, while it was to %s: killed", patience, what)
	}
	return nil
}

// taskName returns what a task does in words.
func taskName(k tiling.Kind) string {
	switch k {
	case shmmat.Attend:
		return "attach memory"
	case shmmat.Peak:
		return "measure the FMA limit"
	case shmmat.Nop:
		return "answer"
	}
	return k.String()
}

// A startError is why a worker could not be started.
type startError struct{ error }

func (e startError) Unwrap() error { return e.error }

// A loss is the deaths since the last task was done: a pool that gets nothing
// done any more says what killed its workers.
type loss struct {
	deaths    int     // with those that could not be started
	unstarted int     // could not be started
	causes    []cause // by how they ended
}

type cause struct {
	how error
	n   int
}

func (l *loss) add(how error) {
	l.deaths++
	if errors.As(how, new(startError)) {
		l.unstarted++
	}
	for i := range l.causes {
		if c := &l.causes[i]; c.how.Error() == how.Error() {
			c.n++
			return
		}
	}
	l.causes = append(l.causes, cause{how, 1})
}

// A lossError says what killed the workers of a pool.
type lossError struct {
	loss
	oomKills int64 // of the control group, since the pool was started
}

// causesShown is the most different causes that a message names.
const causesShown = 3

func (e *lossError) Error() string {
	s := fmt.Sprintf("%v: %s: ", ErrWorkersLost, e.what())
	for i, c := range e.causes {
		switch {
		case i == causesShown:
			return s + ", and others" + e.advice()
		case i > 0:
			s += ", "
		}
		s += fmt.Sprintf("%d × %v", c.n, c.how)
	}
	return s + e.advice()
}

// what says what happened to the workers.
func (e *lossError) what() string {
	switch e.unstarted {
	case 0:
		return fmt.Sprintf("%d died one after the other without finishing a task", e.deaths)
	case e.deaths:
		return "none could be started"
	}
	return fmt.Sprintf("%d died, or could not be started, one after the other without finishing a task", e.deaths)
}

func (e *lossError) advice() string {
	if e.oomKills == 0 {
		return ""
	}
	return fmt.Sprintf("; the kernel's OOM killer ended %d process(es) of this control group meanwhile: give it more memory, or fewer workers", e.oomKills)
}

// Unwrap returns ErrWorkersLost and what killed one of them.
func (e *lossError) Unwrap() []error {
	return []error{ErrWorkersLost, e.causes[len(e.causes)-1].how}
}

// oomKills returns how often the OOM killer has struck this control group; 0
// where nobody knows.
func (p *Pool) oomKills() int64 {
	if p.cfg.OOMKills == nil {
		return 0
	}
	return p.cfg.OOMKills()
}

// errAbandoned is why workers are killed that hold a cancelled job up.
var errAbandoned = errors.New("killed with its task, which was cancelled")
