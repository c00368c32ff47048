package sys

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A Claim is a name that this process has, and no other on this machine, until
// it is released or the process ends, however it ends.
type Claim struct{ fd int }

// ErrClaimed is returned for a name that another process has.
var ErrClaimed = errors.New("claimed by another process")

// NewClaim takes a name. If another process has it, the error is ErrClaimed, and
// holder is its id, as far as this process can know that; else 0. A name holds
// for all users of a network namespace: it is that of a socket in the abstract
// namespace of unix(7), which needs no file, cannot be left behind, and, since
// it listens, tells who has it.
func NewClaim(name string) (c Claim, holder int, err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return c, 0, fmt.Errorf("socket: %w", err)
	}
	address := &unix.SockaddrUnix{Name: "@" + name}
	err = unix.Bind(fd, address)
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err == nil {
		return Claim{fd}, 0, nil
	}
	unix.Close(fd)
	if errors.Is(err, unix.EADDRINUSE) {
		return c, listener(address), ErrClaimed
	}
	return c, 0, fmt.Errorf("claim %s: %w", name, err)
}

// Release gives the name back.
func (c Claim) Release() { unix.Close(c.fd) }

// listener returns the process that listens at an address, 0 if it cannot be
// known.
func listener(address unix.Sockaddr) int {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	if unix.Connect(fd, address) != nil {
		return 0
	}
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0
	}
	return int(peer.Pid)
}
