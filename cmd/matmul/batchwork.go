package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"matmul/internal/batch"
	"matmul/internal/trace"
	"matmul/master"
)

// An output is made durable with others: at most commitJobs of them, and it
// waits at most commitTime for more to come.
const (
	commitJobs = 64
	commitTime = 100 * time.Millisecond
)

// beside is how many jobs of one priority, or a higher one, the workers have at a
// time: while one is read in, or stored, they multiply another.
const beside = 2

// A work is a batch under way. One goroutine decides; those that make outputs
// and those that name them tell it by events.
type work struct {
	*queue
	graph  *batch.Graph
	events chan func() // what has happened, to be noted by the goroutine that decides
	ctx    context.Context
	cancel context.CancelCauseFunc

	coming     bool // standard input has not ended
	desks      []*desk
	pooled     map[*item]bool // that the workers have now
	forWorkers int            // jobs that they are still to get
	memory     int64          // bytes that all that runs takes, with the shares
	shares     map[shareKey]*share
	leaving    int              // of them
	out        int              // jobs that were taken and have not ended
	made       []*item          // that have ended but for the log
	making     int              // that have not been made
	naming     bool             // a group is being made durable
	due        <-chan time.Time // when the first of made has waited long enough
	stopped    error            // why no other job is started
	broken     error            // why the batch cannot go on
	badLines   []batch.Problem  // of standard input
	meter      *meter

	open     sync.Mutex // guards members
	members  *master.Pool
	unpinned string // why workers have no processors of their own, if they have not
}

// A workplace is what a job is made with.
type workplace struct {
	ctx  context.Context
	desk *desk // of a job that is done alone
}

// work does all jobs: those that are there, and those that arrive.
func (q *queue) work(ctx context.Context, arriving *batch.Reader) error {
	start := time.Now()
	w := &work{queue: q, graph: batch.NewGraph(), events: make(chan func()), pooled: map[*item]bool{}, shares: map[shareKey]*share{}}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	// As long as one of Go's processors idles, its monitor does not take one from a
	// goroutine that is just reading or writing a file, to give it to nobody.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1))
	for i := range q.crew.workers {
		w.desks = append(w.desks, &desk{seat: trace.Desk(i)})
	}
	q.show.limit(q.peak)
	w.meter = q.show.start("all jobs", nil)
	w.add(q.items)
	if arriving != nil {
		w.coming = true
		go w.receive(arriving)
	}
	w.drive()
	w.meter.end()
	w.dismiss()
	return w.finish(time.Since(start))
}

// drive starts jobs and waits for what happens, until there is nothing left.
func (w *work) drive() {
	done := w.ctx.Done()
	for {
		w.startJobs()
		w.startNaming()
		if w.out+w.leaving == 0 && (w.stopped != nil || w.graph.Left() == 0 && !w.coming) {
			return
		}
		w.meter.count(int64(len(w.items)-w.graph.Left()), int64(len(w.items)), "jobs")
		select {
		case note := <-w.events:
			note()
		case <-w.due:
			w.due = nil
			w.nameGroup()
		case <-done:
			done = nil
			w.stop(context.Cause(w.ctx))
		}
	}
}

// stop keeps further jobs from being started.
func (w *work) stop(why error) {
	if w.stopped == nil {
		w.stopped = why
	}
}

// tell has the deciding goroutine note something.
func (w *work) tell(note func()) { w.events <- note }

// add takes jobs into the graph, but for those that the log lists.
func (w *work) add(items []*item) {
	var jobs []*batch.Job
	for _, it := range items {
		if it.state == itemBefore {
			w.tidy(w.ctx, it)
		}
		if before := (earlierError{}); errors.As(it.err, &before) {
			say(os.Stderr, fmt.Errorf("job %s: %w", it.ID, before))
		}
		jobs = append(jobs, it.Job)
		w.register(it)
		if !it.alone && it.state == itemWaits {
			w.forWorkers++
		}
	}
	skipped := w.graph.Add(jobs...)
	w.skip(skipped)
	for w.pass() {
	}
	w.noteReady()
}

// pass takes the jobs that are ready and have ended already, and reports whether
// there were some: others may be ready then.
func (w *work) pass() (some bool) {
	for _, j := range slices.Clone(w.graph.Ready()) {
		switch w.byJob[j].state {
		case itemBefore:
			w.graph.Take(j)
			w.graph.Done(j)
			some = true
		case itemFailed:
			w.graph.Take(j)
			w.skip(w.graph.Fail(j))
			some = true
		}
	}
	return some
}

// noteReady notes since when jobs could run.
func (w *work) noteReady() {
	now := time.Now()
	for _, j := range w.graph.Ready() {
		if it := w.byJob[j]; it.came.IsZero() {
			it.came = now
		}
	}
}

func (w *work) skip(jobs []*batch.Job) {
	for _, j := range jobs {
		it := w.byJob[j]
		if !it.alone && it.state == itemWaits {
			w.forWorkers--
		}
		it.state = itemSkipped
		it.err = errors.New("comes after a job that failed")
		w.release(it)
	}
}

// startJobs starts those that can run now and for which there is a place.
func (w *work) startJobs() {
	for w.stopped == nil && w.startOne() {
	}
}

// startOne starts the first job that there is a place for, and reports whether
// there was one. One that waits for memory is not overtaken: those behind it
// might keep it waiting for ever.
func (w *work) startOne() bool {
	noDesk, noWorkers := false, w.forWorkers == 0 // for jobs that go later, too
	for _, j := range w.graph.Ready() {
		it := w.byJob[j]
		no := &noWorkers
		if it.alone {
			no = &noDesk
		}
		switch {
		case noDesk && noWorkers, w.isBehind(it):
			return false
		case *no || !w.hasPlace(it):
			*no = true
		case it.awaitsShare(): // others may go before it until that is there
		case w.memory+it.cost > w.limit.bytes && (w.evict() || w.making > 0):
			return false
		default:
			w.start(it)
			return true
		}
	}
	return false
}

// isBehind reports whether so many outputs, of jobs that do not go later, wait to
// be made durable that the disk has to catch up first.
func (w *work) isBehind(it *item) bool {
	return len(w.made) >= 2*commitJobs &&
		slices.ContainsFunc(w.made, func(o *item) bool { return o.Priority >= it.Priority })
}

// hasPlace reports whether a job can be started beside those that run: one that
// is done alone if a processor has none, and the workers have no job that goes
// first; another if the workers do not have enough that do.
func (w *work) hasPlace(it *item) bool {
	higher, others := 0, 0
	for o := range w.pooled {
		switch {
		case o.Priority > it.Priority:
			higher++
		case o.Priority == it.Priority:
			others++
		}
	}
	if it.alone {
		return len(w.desks) > 0 && higher == 0
	}
	return higher+others < beside
}

// start starts a job that is ready.
func (w *work) start(it *item) {
	w.graph.Take(it.Job)
	it.state, it.began = itemRuns, time.Now()
	w.out++
	w.making++
	w.memory += it.cost
	p := &workplace{ctx: w.ctx}
	if it.alone {
		last := len(w.desks) - 1
		p.desk, w.desks = w.desks[last], w.desks[:last]
		it.queued = it.began.Sub(it.came)
	} else {
		w.pooled[it] = true
		w.forWorkers--
		w.enlist(it)
	}
	go func() {
		err := it.make(w, p)
		w.tell(func() { w.isMade(it, p, err) })
	}()
}

// isMade notes that a job has its output, or an error.
func (w *work) isMade(it *item, p *workplace, err error) {
	it.ended, it.err, it.state = time.Now(), err, itemMade
	w.making--
	w.memory -= it.cost
	if p.desk != nil {
		w.desks = append(w.desks, p.desk)
	} else {
		w.multiplied(it, false) // if that was not said before
	}
	if err != nil && w.ctx.Err() != nil {
		it.state, it.err = itemSkipped, errors.New("was stopped")
		w.out--
		return // another batch does it
	}
	if err != nil {
		it.state = itemFailed
		w.failed(it)
	}
	if len(w.made) == 0 {
		w.due = time.After(commitTime)
	}
	w.made = append(w.made, it)
}

// failed says what is wrong with a job, and halts if it is to.
func (w *work) failed(it *item) {
	say(os.Stderr, fmt.Errorf("job %s: %w", it.ID, it.err))
	switch w.halt {
	case haltSoon:
		w.stop(errHalted)
	case haltNow:
		w.cancel(errHalted)
	}
}

var errHalted = errors.New("halted")

// startNaming makes a group durable if it is full, or if nobody has anything
// else to do.
func (w *work) startNaming() {
	idle := w.making == 0 || len(w.graph.Ready()) == 0 && len(w.desks) > 0
	if len(w.made) >= commitJobs || len(w.made) > 0 && idle {
		w.nameGroup()
	}
}

// nameGroup makes outputs durable, unless others are: then these follow.
func (w *work) nameGroup() {
	if w.naming || len(w.made) == 0 {
		return
	}
	n := min(len(w.made), commitJobs)
	group := w.made[:n:n]
	w.made = w.made[n:]
	w.due = nil
	if len(w.made) > 0 {
		w.due = time.After(commitTime)
	}
	w.naming = true
	go func() {
		err := w.commit(w.ctx, group)
		w.tell(func() { w.isNamed(group, err) })
	}()
}

// isNamed notes that jobs have ended, with err if that could not be logged.
func (w *work) isNamed(group []*item, err error) {
	w.naming = false
	w.out -= len(group)
	for _, it := range group {
		w.release(it)
		switch {
		case it.err == nil:
			it.state = itemDone
			w.graph.Done(it.Job)
		case it.state == itemFailed:
			w.skip(w.graph.Fail(it.Job))
		default: // it was made, and could not be named
			it.state = itemFailed
			w.failed(it)
			w.skip(w.graph.Fail(it.Job))
		}
	}
	w.noteReady()
	if err != nil {
		w.broken = err
		w.cancel(err)
	}
	if len(w.made) > 0 && w.due == nil {
		w.due = time.After(commitTime)
	}
}

// receive reads the jobs that arrive.
func (w *work) receive(from *batch.Reader) {
	for {
		j, problems, err := from.Next()
		w.tell(func() {
			if err == nil {
				w.arrive(j, problems)
				return
			}
			w.coming = false
			if err != io.EOF {
				w.broken = fmt.Errorf("read standard input: %w", bareError(err))
				w.stop(w.broken)
			}
		})
		if err != nil {
			return
		}
	}
}

// arrive takes one more job. What is wrong with it is said, and does not stop
// the others.
func (w *work) arrive(j *batch.Job, problems []batch.Problem) {
	if j != nil {
		problems = w.checks.Arrive(j)
	}
	if j == nil || len(problems) > 0 {
		w.reject(problems...)
		return
	}
	it := w.newItem(j)
	w.items = append(w.items, it)
	if it.state == itemWaits {
		if err := w.examine(it); err != nil {
			it.state, it.err = itemFailed, err
			w.failed(it)
		}
	}
	w.add([]*item{it})
}

func (w *work) reject(problems ...batch.Problem) {
	for _, p := range problems {
		say(os.Stderr, fmt.Errorf("%s:%d: %s", w.name, p.Line, p.Text))
	}
	w.badLines = append(w.badLines, problems...)
	switch w.halt {
	case haltSoon:
		w.stop(errHalted)
	case haltNow:
		w.cancel(errHalted)
	}
}

// pool returns the workers. They are started for the first job that needs them.
func (w *work) pool(dir string, u tuned) (*master.Pool, error) {
	w.open.Lock()
	defer w.open.Unlock()
	if w.members != nil {
		return w.members, nil
	}
	crew := w.crew // which others read meanwhile
	pool, err := crew.open(dir, u.choice)
	if err != nil {
		return nil, err
	}
	w.members, w.unpinned = pool, crew.unpinned
	w.tracer.about(w.crew.workers, u.kernel.String(), 0)
	return pool, nil
}

// dismiss ends the workers.
func (w *work) dismiss() {
	if w.members == nil {
		return
	}
	if err := w.members.Close(); err != nil && w.broken == nil {
		w.broken = err
	}
}
