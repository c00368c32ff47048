package batch

import (
	"cmp"
	"slices"
	"time"
)

// A Load is what a job asks of the workers, or, if it is done alone, of one
// processor.
type Load struct {
	Priority int
	Seq      int
	Compute  time.Duration // its longest task that computes
	Disk     time.Duration // its longest task that may wait for a disk
	Alone    time.Duration // all of it, if one processor does it alone
	Check    time.Duration // what is done for it beside the workers, on their processors
	Total    time.Duration // all its tasks, one after the other
}

// A Mailbox is what a worker holds at most when a job arrives: the task that it
// does and those that it was handed ahead.
type Mailbox struct {
	Tasks   int // in all
	Compute int // of them, that compute
	// Delay is for how long at most all is behind that has to do with a task: the
	// worker, its disk, and the master.
	Delay time.Duration
}

// A Wait is the longest time that the first task of a job waits for a worker,
// from when the job's tasks are in the queue. It is the response time analysis
// of non-preemptive fixed priorities, as it is known from the CAN bus (Davis,
// Burns, Bril and Lukkien, "Controller Area Network (CAN) schedulability
// analysis: Refuted, revisited and revised", Real-Time Systems 35, 2007):
//
//	w = B + I
//
// B, the blocking, is the time of what a worker holds of jobs that go later and
// does first all the same, since tasks are not interrupted and what lies in a
// mailbox is not taken back. I, the interference, is what goes first by its
// priority. On the bus that is a sum over messages that come again and again,
// ⌈(w + J)/T⌉ times in the time w, which makes the equation one to be iterated.
// A job comes once, so each factor is 1; and there is not one bus but there are
// many workers: while a task waits none of them idles, so that what goes first
// is divided among them.
//
// Jobs that are done alone share the processors with the workers. One of them
// keeps a worker for as long as it takes itself, and is kept by a worker as long.
// So does what is done beside the workers for a job of theirs, such as verifying it.
type Wait struct {
	Blocking     time.Duration
	Interference time.Duration
}

// Longest is the bound itself.
func (w Wait) Longest() time.Duration { return w.Blocking + w.Interference }

// LongestWaits returns the longest wait of each of the jobs beside the others.
func LongestWaits(jobs []Load, workers int, m Mailbox) []Wait {
	order := make([]int, len(jobs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int {
		a, b := &jobs[x], &jobs[y]
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Seq, b.Seq))
	})
	waits := make([]Wait, len(jobs))
	var first time.Duration // all that goes before
	for _, i := range order {
		waits[i].Interference = first / time.Duration(workers)
		first += jobs[i].Total
	}
	var compute, disk, alone, check time.Duration // the longest of what goes later
	for _, i := range slices.Backward(order) {
		held := time.Duration(m.Compute)*max(compute, disk) + time.Duration(m.Tasks-m.Compute)*disk
		if jobs[i].Alone > 0 {
			held = alone // for a processor, which a worker may share
		}
		waits[i].Blocking = held + max(alone, check) + m.Delay
		compute, disk = max(compute, jobs[i].Compute), max(disk, jobs[i].Disk)
		alone, check = max(alone, jobs[i].Alone), max(check, jobs[i].Check)
	}
	return waits
}
