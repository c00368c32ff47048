package sys

import "golang.org/x/sys/unix"

// AskHuge asks the kernel to back memory of this process's own, from its first
// touch on, with huge pages. Only whole ones within b can be. See madvise(2),
// MADV_HUGEPAGE.
func AskHuge(b []byte) {
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // it costs speed if refused, no more
}
