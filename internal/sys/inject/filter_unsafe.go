//go:build linux

package inject

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// instructions of a filter: classic BPF.
const (
	loadWord  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	jumpEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	giveBack  = unix.BPF_RET | unix.BPF_K
)

// audit is how the kernel names an architecture.
var audit = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]

// firstMessage are the flags of the message that carries the listener, and of no
// other: MSG_CONFIRM means nothing here.
const firstMessage = unix.MSG_NOSIGNAL | unix.MSG_CONFIRM

// filter notifies of the given calls, of all if there are none, but not of the
// first message.
func filter(calls []int) []unix.SockFilter {
	const allow, notify = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_USER_NOTIF
	prog := []unix.SockFilter{
		{Code: loadWord, K: uint32(unsafe.Offsetof(data{}.arch))},
		{Code: jumpEqual, K: audit, Jt: 1},
		{Code: giveBack, K: allow},
		{Code: loadWord, K: uint32(unsafe.Offsetof(data{}.nr))},
		{Code: jumpEqual, K: unix.SYS_SENDMSG, Jf: 4},
		{Code: loadWord, K: uint32(unsafe.Offsetof(data{}.args) + 2*unsafe.Sizeof(uint64(0)))}, // its flags
		{Code: jumpEqual, K: firstMessage, Jf: 1},
		{Code: giveBack, K: allow},
		{Code: loadWord, K: uint32(unsafe.Offsetof(data{}.nr))},
	}
	for _, nr := range calls {
		prog = append(prog, unix.SockFilter{Code: jumpEqual, K: uint32(nr), Jf: 1}, unix.SockFilter{Code: giveBack, K: notify})
	}
	last := uint32(allow)
	if len(calls) == 0 {
		last = notify
	}
	return append(prog, unix.SockFilter{Code: giveBack, K: last})
}

// A command is what a thread needs to [command.enter] it, ready for the kernel.
type command struct {
	filter  unix.SockFprog
	message unix.Msghdr
	control struct { // of message
		unix.Cmsghdr
		listener int32
	}
	path      *byte
	argv, env []*byte
}

// newCommand prepares the command at path, whose calls are told.
func newCommand(calls []int, path string, argv, env []string) (c *command, err error) {
	c = new(command)
	prog := filter(calls)
	c.filter = unix.SockFprog{Len: uint16(len(prog)), Filter: unsafe.SliceData(prog)}
	c.message = unix.Msghdr{Iov: &unix.Iovec{Base: new(byte), Len: 1}, Iovlen: 1, Control: (*byte)(unsafe.Pointer(&c.control))}
	c.message.SetControllen(int(unsafe.Sizeof(c.control)))
	c.control.Level, c.control.Type = unix.SOL_SOCKET, unix.SCM_RIGHTS
	c.control.SetLen(unix.CmsgLen(int(unsafe.Sizeof(c.control.listener))))
	if c.path, err = unix.BytePtrFromString(path); err != nil {
		return nil, err
	}
	if c.argv, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return nil, err
	}
	c.env, err = syscall.SlicePtrFromStrings(env)
	return c, err
}

// enter puts the calling thread under the filter, sends the descriptor that its
// calls are told on to socket, and becomes the command. It returns if it cannot.
//
// Any other call before the message would wait for an answer from somebody who
// does not know of it yet. So the stack is not looked at, where the scheduler may
// take the thread, nor does the race detector, which makes calls of its own, see
// anything of this; and [Start] has switched off preemption by signals.
//
//go:nosplit
//go:norace
func (c *command) enter(socket uintptr) (what string, errno syscall.Errno) {
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, uintptr(unsafe.Pointer(&c.filter)))
	if errno == unix.EINVAL { // before Linux 5.19
		fd, _, errno = unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&c.filter)))
	}
	if errno != 0 {
		return "seccomp", errno
	}
	c.control.listener = int32(fd)
	if _, _, errno = unix.RawSyscall(unix.SYS_SENDMSG, socket, uintptr(unsafe.Pointer(&c.message)), firstMessage); errno != 0 {
		return "sendmsg", errno
	}
	_, _, errno = unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(c.path)),
		uintptr(unsafe.Pointer(unsafe.SliceData(c.argv))), uintptr(unsafe.Pointer(unsafe.SliceData(c.env))))
	return "execve", errno
}

// data, notification and response are those of seccomp_unotify(2).
type data struct {
	nr   int32
	arch uint32
	ip   uint64
	args [6]uint64
}

type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	data
}

type response struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

// receive waits for the next call. A call whose thread has died meanwhile is
// ENOENT.
func receive(fd int) (n notification, err error) {
	if err := ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != nil {
		return n, fmt.Errorf("receive a notification: %w", err)
	}
	return n, nil
}

// answer lets a call go on, or fail with errno.
func answer(fd int, id uint64, errno syscall.Errno) error {
	r := response{id: id, error: -int32(errno)}
	if errno == 0 {
		r.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	}
	return ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// exchange puts the file src in the place of the caller's descriptor fd, which
// is then closed.
func exchange(listener int, id uint64, fd uint32, src *os.File) error {
	a := struct {
		id                             uint64
		flags, srcfd, newfd, newfdFlag uint32
	}{id, unix.SECCOMP_ADDFD_FLAG_SETFD, uint32(src.Fd()), fd, unix.O_CLOEXEC}
	return ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a))
}
