package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// SetSlice asks the scheduler to give the calling thread time slices of so long, 0 for
// the system's own, and to let it interrupt others when it wakes up, as SCHED_OTHER
// does. A thread with a short slice that wakes up then runs at once, instead of
// waiting for the slice of the thread that computes to end (1 to 4 ms); its share of
// the processor stays the same. Threads that it starts inherit it. See
// sched_setattr(2); kernels before 6.12 take no notice of slices, and a thread of
// another policy than SCHED_OTHER and SCHED_BATCH is left alone.
//
// A thread that the monitor starts has the monitor's policy, SCHED_BATCH (see
// CalmMonitor), and a goroutine may find itself on such a one: who wants to be prompt
// locks its thread first.
func SetSlice(d time.Duration) { setSlice(0, d) }

// SetSlices is SetSlice for all threads of this process.
func SetSlices(d time.Duration) {
	for _, tid := range threads() { // none if /proc is missing: latency is a convenience
		setSlice(tid, d)
	}
}

func setSlice(tid int, d time.Duration) {
	attr, err := unix.SchedGetAttr(tid, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL && attr.Policy != unix.SCHED_BATCH {
		return
	}
	attr.Policy = unix.SCHED_NORMAL
	attr.Runtime = uint64(d.Nanoseconds())
	_ = unix.SchedSetAttr(tid, attr, 0)
}

// Thread returns the number of the calling thread.
func Thread() int { return unix.Gettid() }
