package shmmat

import (
	"fmt"
	"sync/atomic"
	"time"

	"matmul/internal/sys"
)

// Bell returns the bell that the master sleeps at.
func (b *Board) Bell() Bell { return Bell{&b.desk().bell} }

// Publish puts a job's record where workers look for it. The slot is shared by
// the jobs whose ids are equal modulo Jobs: the master publishes one only when
// the one before it is closed.
func (b *Board) Publish(j Job) { *b.job(j.ID) = j }

// Job returns a copy of the record of job id, and an error if the slot holds
// another one.
func (b *Board) Job(id uint32) (Job, error) {
	j := *b.job(id)
	if j.ID != id {
		return Job{}, fmt.Errorf("record of job %d holds job %d", id, j.ID)
	}
	return j, nil
}

// Tally sums the counters of all workers for a priority.
func (b *Board) Tally(priority uint8) (t Tally) {
	for i := range b.workers {
		s := &b.seat(i).score
		t.Active += s.active[priority].Load()
		t.Finished += s.finished[priority].Load()
	}
	return t
}

// Activity returns what worker i is doing. It reports false if the worker
// writes too busily, or died while writing.
func (b *Board) Activity(i int) (Activity, bool) { return b.seat(i).now.get() }

// Busy returns how long the workers in seat i have worked on tasks of jobs that
// have ended.
func (b *Board) Busy(i int) time.Duration { return time.Duration(b.seat(i).score.busy.Load()) }

// Progress sums what the workers have done of a job, for onlookers. It is no
// less than before unless a worker did a task that its death let another do
// again, and it is forgotten by a worker that turns to job id + Jobs.
func (b *Board) Progress(id uint32) (sum Progress) {
	for i := range b.workers {
		p := b.seat(i).jobs[id%Jobs].of(id)
		sum.Tasks += p.Tasks
		sum.Tiles += p.Tiles
		sum.Elements += p.Elements
	}
	return sum
}

// Clear wipes what a dead worker left on the scoreboard, except for what it had
// done, which stays done. Its mailbox needs no wiping: the next worker in that
// seat has another epoch.
func (b *Board) Clear(i int) {
	b.seat(i).score.clear()
	b.seat(i).now.clear()
}

// A MasterEnd is the master's side of one worker's mailbox in one epoch.
type MasterEnd struct {
	tasks   ring[taskPayload]
	answers ring[answerPayload]
	bell    Bell
	steps   *atomic.Uint64
}

// Master returns the master's end of seat i for an epoch, which must be
// greater than any that the seat had before, and not 0.
func (b *Board) Master(i int, epoch uint32) *MasterEnd {
	s := b.seat(i)
	return &MasterEnd{
		tasks:   ring[taskPayload]{slots: &s.tasks, epoch: epoch},
		answers: ring[answerPayload]{slots: &s.answers, epoch: epoch},
		bell:    Bell{&s.bell},
		steps:   &s.steps,
	}
}

// Send hands a task to the worker. The caller must have taken the answers of
// all but Depth-1 of the tasks that it sent before.
func (m *MasterEnd) Send(t Task) {
	m.tasks.put(t.payload())
	m.bell.Ring()
}

// Rouse wakes the worker if it sleeps: there will be a task for it at once.
func (m *MasterEnd) Rouse() { m.bell.Ring() }

// Waiting reports whether an answer is there.
func (m *MasterEnd) Waiting() bool { return m.answers.waiting() }

// Take takes the next answer, if there is one.
func (m *MasterEnd) Take() (Answer, bool) {
	p, ok := m.answers.take()
	return p.Answer, ok
}

// Steps returns a number that changes while the worker gets on with a task. It
// means nothing but that: a worker that is not to be believed may write what it
// likes, and passes for one that works.
func (m *MasterEnd) Steps() uint64 { return m.steps.Load() }

// A WorkerEnd is the worker's side of its mailbox and its part of the
// scoreboard.
type WorkerEnd struct {
	Bell    Bell // that the worker sleeps at
	tasks   ring[taskPayload]
	answers ring[answerPayload]
	master  Bell
	seat    *seat
}

// Worker returns the worker's end of seat i for an epoch.
func (b *Board) Worker(i int, epoch uint32) *WorkerEnd {
	s := b.seat(i)
	return &WorkerEnd{
		Bell:    Bell{&s.bell},
		tasks:   ring[taskPayload]{slots: &s.tasks, epoch: epoch},
		answers: ring[answerPayload]{slots: &s.answers, epoch: epoch},
		master:  b.Bell(),
		seat:    s,
	}
}

// Waiting reports whether a task is there.
func (w *WorkerEnd) Waiting() bool { return w.tasks.waiting() }

// Take takes the next task, if there is one.
func (w *WorkerEnd) Take() (Task, bool) {
	p, ok := w.tasks.take()
	return p.task(), ok
}

// Step tells the master that the worker gets on with its task. It must be
// called many times in a task that takes long.
func (w *WorkerEnd) Step() { add(&w.seat.steps, 1) }

// Begin notes on the scoreboard that the worker starts on t, and returns the
// time. Only tasks of jobs are counted.
func (w *WorkerEnd) Begin(t Task, priority uint8) int64 {
	now := sys.Monotonic()
	w.seat.now.set(Activity{Job: t.Job, Kind: t.Kind, Task: t.ID, Begin: now})
	if t.OfJob() {
		w.seat.score.begin(priority % Priorities)
	}
	return now
}

// End notes on the scoreboard that t is over, and answers. It reports whether the
// master slept.
func (w *WorkerEnd) End(t Task, a Answer, priority uint8) (woke bool) {
	if t.OfJob() {
		w.seat.score.end(priority%Priorities, a.End-a.Begin)
		if a.Status == Done {
			w.seat.jobs[t.Job%Jobs].done(t)
		}
	}
	w.seat.now.set(Activity{Begin: a.End})
	w.answers.put(answerPayload{Answer: a})
	return w.master.Ring()
}
