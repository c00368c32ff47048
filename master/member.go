package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"matmul/internal/failpoint"
	"matmul/shmmat"
)

// state is where a member is in its life.
type state uint8

const (
	starting state = iota // on its way, or being replaced
	ready                 // takes tasks
	doubted               // answered what it was not asked, or nothing for too long: killed, not listened to
	undying               // was killed and does not end: the pool is not used any more
)

// A member is one seat of the pool and the worker in it, as the master sees
// them. Only the one at the wheel changes it, under the mutex, but for pid and
// for what is added to todo.
type member struct {
	index int
	state state
	epoch uint32 // of the worker in the seat, or on its way to it
	end   *shmmat.MasterEnd
	line  shmmat.Line
	proc  shmmat.Process
	held  []held         // out with the worker, oldest first
	todo  []announcement // to be told before further tasks
	pid   atomic.Int64   // of the process in the seat, or on its way to it

	steps  uint64        // of its progress, when the master last looked
	silent time.Duration // since its last sign of progress, or since it was killed
	why    error         // why the master killed it, if it did
	wrong  int           // tiles that failed their check
	speed  float64       // of the processor of this seat, by that of all; see speed.go
}

// held is a task that is out with a worker, and the errand that it belongs to;
// nil if it is to read news.
type held struct {
	shmmat.Task
	of *errand
}

// An announcement is a message that every worker must get, and its files.
type announcement struct {
	m     shmmat.Message
	files []*os.File
}

// An event is what happens to a worker's process: it was started, it has said
// hello and has its seat (line is not nil), it has been reaped (ended).
type event struct {
	m     *member
	epoch uint32
	line  shmmat.Line
	proc  shmmat.Process
	ended bool
	how   error // it ended, or why it could not be started
}

// discard closes what an event brings that nobody wants any more.
func (e event) discard() {
	if e.line != nil {
		e.line.Close() // the worker sees that, and ends
		e.proc.Kill()
	}
}

// start brings a new worker into a seat, in the background.
func (p *Pool) start(m *member) {
	m.state = starting
	m.epoch++
	m.held, m.todo = nil, nil
	m.silent, m.why, m.wrong = 0, nil, 0
	epoch := m.epoch
	p.pending.Add(1)
	go func() {
		defer p.pending.Done()
		line, proc, err := p.cfg.Starter.Start(p.cpu(m.index))
		if err != nil {
			p.tell(event{m: m, epoch: epoch, ended: true, how: startError{err}})
			return
		}
		m.pid.Store(int64(proc.Pid()))
		p.tell(event{m: m, epoch: epoch, proc: proc})
		p.pending.Add(1)
		go func() {
			defer p.pending.Done()
			p.tell(event{m: m, epoch: epoch, ended: true, how: errors.New(proc.Wait())})
		}()
		stop := context.AfterFunc(p.alive, proc.Kill)
		defer stop()
		if err := p.welcome(m.index, epoch, line); err != nil {
			line.Close()
			proc.Kill() // and its end will be told
			return
		}
		p.tell(event{m: m, epoch: epoch, line: line, proc: proc})
	}()
}

// cpu returns the processor of a seat, -1 for any.
func (p *Pool) cpu(seat int) int {
	if p.pins == nil {
		return -1
	}
	return p.pins[seat]
}

func (p *Pool) tell(e event) {
	p.events <- e
	p.board.Bell().Ring()
}

// welcome answers a new worker's hello with its seat.
func (p *Pool) welcome(seat int, epoch uint32, line shmmat.Line) error {
	hello, _, err := line.Receive()
	if err != nil {
		return fmt.Errorf("receive hello: %w", err)
	}
	if hello.Verb != shmmat.Hello || hello.Version != shmmat.ProtocolVersion {
		return fmt.Errorf("worker said %q, version %d", hello.Verb, hello.Version)
	}
	h, file := p.control.Handle()
	msg := shmmat.Message{
		Verb: shmmat.Welcome, Version: shmmat.ProtocolVersion, Seat: seat, Epoch: epoch,
		Workers: p.cfg.Workers, Spin: p.cfg.Spin.Nanoseconds(), Yield: p.cfg.Yield,
		Handle: h, Segment: p.control,
	}
	return line.Send(msg, present(file)...)
}

// present returns the files that are not nil.
func present(files ...*os.File) (fs []*os.File) {
	for _, f := range files {
		if f != nil {
			fs = append(fs, f)
		}
	}
	return fs
}

// joined puts a worker that has its seat to work.
func (p *Pool) joined(m *member, line shmmat.Line) {
	m.state, m.line = ready, line
	m.end = p.board.Master(m.index, m.epoch)
	m.steps, m.silent = m.end.Steps(), 0
	m.todo = append([]announcement(nil), p.news...)
}

// room returns how many more tasks the worker can be handed.
func (m *member) room() int { return shmmat.Depth - len(m.held) }

// send hands a task to the worker.
func (m *member) send(t held) {
	if len(m.held) == 0 {
		m.silent = 0
	}
	m.held = append(m.held, t)
	reached("master.send", t.Task)
	m.end.Send(t.Task)
	reached("master.sent", t.Task)
}

// reached is a failpoint between the steps of a task, if it is a job's.
func reached(name string, t shmmat.Task) {
	if t.OfJob() {
		failpoint.Hit(name)
	}
}

// inform tells the worker what is still to be told, as far as there is room.
// An error means that the worker is as good as dead; its end will be told.
func (m *member) inform() {
	for len(m.todo) > 0 && m.room() > 0 {
		a := m.todo[0]
		m.todo = m.todo[1:]
		if err := m.line.Send(a.m, a.files...); err != nil {
			m.kill()
			return
		}
		m.send(held{Task: shmmat.Task{Kind: shmmat.Attend}})
	}
}

// doubt kills a worker that is not listened to any more.
func (m *member) doubt(why error) {
	m.state, m.why, m.silent = doubted, why, 0
	m.kill()
}

// kill ends the worker's process, if there is one.
func (m *member) kill() {
	if m.proc != nil {
		m.proc.Kill()
	}
}

// hangUp closes the line: a worker that still listens ends.
func (m *member) hangUp() {
	if m.line != nil {
		m.line.Close()
		m.line = nil
	}
	m.proc = nil
	m.pid.Store(0)
}

// told reports whether every worker that is there knows the news.
func (p *Pool) told() bool {
	return !slices.ContainsFunc(p.members, func(m *member) bool {
		return len(m.todo) > 0 || slices.ContainsFunc(m.held, func(h held) bool { return h.of == nil })
	})
}

// announce tells every worker, and every worker to come, something, the next
// time that it gets a task or the pool is driven. The caller holds the mutex.
func (p *Pool) announce(a announcement) {
	p.news = append(p.news, a)
	for _, m := range p.members {
		if m.state == ready {
			m.todo = append(m.todo, a)
		}
	}
	p.poke()
}

// retract takes back what was announced under a verb and number: it is told to
// nobody any more, and those who may have been told are told so. The caller
// holds the mutex.
func (p *Pool) retract(verb shmmat.Verb, number uint32, m shmmat.Message) {
	without := func(as []announcement) []announcement {
		return slices.DeleteFunc(as, func(a announcement) bool { return a.m.Verb == verb && a.m.Number == number })
	}
	p.news = without(p.news)
	for _, member := range p.members {
		if member.state == ready {
			member.todo = append(without(member.todo), announcement{m: m})
		}
	}
	p.poke()
}
