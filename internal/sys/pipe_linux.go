package sys

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Pipe returns a pipe whose ends block in the kernel and not in Go's poller,
// with room for size bytes if the system allows that (F_SETPIPE_SZ; else what it
// has by default).
func Pipe(size int) (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("pipe2: %w", err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, size)
	return os.NewFile(uintptr(fds[0]), "pipe:read"), os.NewFile(uintptr(fds[1]), "pipe:write"), nil
}

// SetSendBuffer asks for room for size bytes on their way through a socket. The
// system may give less (net.core.wmem_max).
func SetSendBuffer(s *os.File, size int) {
	_ = unix.SetsockoptInt(int(s.Fd()), unix.SOL_SOCKET, unix.SO_SNDBUF, size)
}
