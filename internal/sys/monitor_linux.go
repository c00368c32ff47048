package sys

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// TimerSlack is how late the timed sleeps of threads may end that are not to disturb
// those that compute: as long as the monitor's own longest sleep.
const TimerSlack = 10 * time.Millisecond

// CalmMonitor keeps the Go runtime's monitor thread (sysmon) from interrupting
// threads that compute. It wakes up every 20 µs for a millisecond after each
// system call that lasted, and each time it takes the processor at once, for
// about 10 µs: up to a third of short products is lost to the monitors of the
// master and the worker. As a thread of the policy SCHED_BATCH it waits for the
// end of a time slice, and has its full share then. See sched(7). Timer slack
// spares most of the timer interrupts that wake it, which on a virtual machine cost
// several times what it then does; of a thread that runs already it takes
// CAP_SYS_NICE. Workers inherit it; see worker.Processes.
//
// The monitor is the first thread that a Go program starts. Should a runtime do
// otherwise, another thread loses its right to interrupt, and nothing else.
func CalmMonitor() {
	tid, ok := monitor()
	if !ok {
		return
	}
	_ = setTimerSlack(tid, TimerSlack)
	attr, err := unix.SchedGetAttr(tid, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL {
		return
	}
	attr.Policy = unix.SCHED_BATCH
	_ = unix.SchedSetAttr(tid, attr, 0) // it costs speed, no more
}

// monitor returns the id of the monitor thread.
func monitor() (tid int, ok bool) {
	all := threads()
	if len(all) < 2 {
		return 0, false
	}
	return all[1], true
}

// setTimerSlack lets timed sleeps of another thread end up to d late.
func setTimerSlack(tid int, d time.Duration) error {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/timerslack_ns", tid), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		_, err = unix.Write(fd, strconv.AppendInt(nil, d.Nanoseconds(), 10))
	}
	if err != nil {
		return fmt.Errorf("/proc/TID/timerslack_ns: %w", err)
	}
	return nil
}

// threads returns the ids of this process's threads, ascending: oldest first,
// unless ids have wrapped around.
func threads() (tids []int) {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	slices.Sort(tids)
	return tids
}
