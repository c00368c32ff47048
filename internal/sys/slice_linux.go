package sys

import (
	"os"
	"strconv"
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
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return // latency is a convenience
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		attr, err := unix.SchedGetAttr(tid, 0)
		if err != nil || attr.Policy != unix.SCHED_NORMAL {
			continue
		}
		attr.Runtime = uint64(d.Nanoseconds())
		_ = unix.SchedSetAttr(tid, attr, 0)
	}
}
