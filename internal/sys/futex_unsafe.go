//go:build linux

package sys

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Futex operations without FUTEX_PRIVATE_FLAG: the word may lie in memory
// that several processes share. See futex(2).
const (
	futexWait = 0
	futexWake = 1
)

// FutexWait sleeps while *word is val, for at most limit. It returns nil when
// it was woken, when *word had another value, when a signal arrived and when
// the time was up: the caller reads the word again in every case.
func FutexWait(word *atomic.Uint32, val uint32, limit time.Duration) error {
	ts := unix.NsecToTimespec(limit.Nanoseconds())
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)),
		futexWait, uintptr(val), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR, unix.ETIMEDOUT:
		return nil
	}
	return fmt.Errorf("futex wait: %w", errno)
}

// FutexWake wakes at most one sleeper on word. It never blocks.
func FutexWake(word *atomic.Uint32) {
	unix.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1)
}

// FutexWaitRaw is FutexWait without telling Go's runtime, which costs less:
// until it returns, nothing else runs on this thread's P and no collection can
// begin. It is for measuring what the system call itself takes.
func FutexWaitRaw(word *atomic.Uint32, val uint32, limit time.Duration) {
	ts := unix.NsecToTimespec(limit.Nanoseconds())
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)),
		futexWait, uintptr(val), uintptr(unsafe.Pointer(&ts)), 0, 0)
}
