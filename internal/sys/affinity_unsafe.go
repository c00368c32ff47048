//go:build linux

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// schedGetaffinity reads the mask of thread tid. A raw system call, because
// unix.SchedGetaffinity knows the fixed unix.CPUSet only.
func schedGetaffinity(tid int, mask *cpuMask) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY,
		uintptr(tid), unsafe.Sizeof(*mask), uintptr(unsafe.Pointer(mask)))
	if errno != 0 {
		return errno
	}
	return nil
}

// schedSetaffinity sets the mask of thread tid; the kernel ignores the bits of
// processors that do not exist.
func schedSetaffinity(tid int, mask *cpuMask) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY,
		uintptr(tid), unsafe.Sizeof(*mask), uintptr(unsafe.Pointer(mask)))
	if errno != 0 {
		return errno
	}
	return nil
}
