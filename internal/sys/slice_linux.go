package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// SetSlice asks the scheduler to give each thread of this process time slices
// of so long, 0 for the system's own. A thread with a short slice that wakes
// up runs at once, instead of waiting for the slice of the thread that computes
// to end (about 3 ms); its share of the processor stays the same. Threads to
// come inherit it. See sched_setattr(2); kernels before 6.12 do nothing, and
// threads of another policy than SCHED_OTHER are left alone.
func SetSlice(d time.Duration) {
	for _, tid := range threads() { // none if /proc is missing: latency is a convenience
		attr, err := unix.SchedGetAttr(tid, 0)
		if err != nil || attr.Policy != unix.SCHED_NORMAL {
			continue
		}
		attr.Runtime = uint64(d.Nanoseconds())
		_ = unix.SchedSetAttr(tid, attr, 0)
	}
}
