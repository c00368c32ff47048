package sys

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Yield offers the processor to another thread that waits for it.
func Yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// Nap sleeps for d and the slack of the kernel's timers, some 50 µs. time.Sleep
// takes a millisecond at least.
func Nap(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&ts, nil)
}

// SetTimerSlack lets timed sleeps of the calling thread, and of what it starts,
// end up to d late, so that one timer interrupt serves several.
func SetTimerSlack(d time.Duration) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(d.Nanoseconds()), 0, 0, 0) // it costs speed, no more
}

// NoNewPrivileges makes sure that nothing this process executes ever gains
// privileges. It cannot be undone.
func NoNewPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(NO_NEW_PRIVS): %w", err)
	}
	return nil
}

// NoCoreDumps keeps the kernel from writing this process's memory to disk when
// it crashes.
func NoCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setrlimit(CORE): %w", err)
	}
	return nil
}

// OfferToOOMKiller makes the kernel's OOM killer prefer a process of this user to
// others that take up to half of the memory more.
func OfferToOOMKiller(pid int) {
	const more, most = 500, 1000
	name := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
	b, err := os.ReadFile(name)
	if err != nil {
		return
	}
	if adj, err := strconv.Atoi(string(bytes.TrimSpace(b))); err == nil {
		os.WriteFile(name, strconv.AppendInt(nil, int64(min(adj+more, most)), 10), 0) //nolint: the kernel then chooses as it does
	}
}

// SetName sets the name of the calling thread that ps -L and top -H show: at
// most 15 bytes are kept.
func SetName(name string) {
	os.WriteFile("/proc/thread-self/comm", []byte(name), 0) //nolint: a name is a convenience
}

// Stopped reports whether a process is stopped, by a signal or by a tracer.
func Stopped(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The state follows the name in parentheses, which may hold any byte.
	after := bytes.TrimLeft(b[bytes.LastIndexByte(b, ')')+1:], " ")
	return len(after) > 0 && (after[0] == 'T' || after[0] == 't')
}
