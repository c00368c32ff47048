//go:build linux

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Processor returns the number of the processor that the caller runs on now,
// -1 if the kernel does not say.
func Processor() int {
	var cpu uint32
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 {
		return -1
	}
	return int(cpu)
}
