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

// filter notifies of the given calls, of all if there are none.
func filter(calls []int) []unix.SockFilter {
	const allow, notify = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_USER_NOTIF
	prog := []unix.SockFilter{
		{Code: loadWord, K: uint32(unsafe.Offsetof(data{}.arch))},
		{Code: jumpEqual, K: audit, Jt: 1},
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

// install puts the calling thread under a filter and returns the descriptor
// that its calls are told on.
func install(prog []unix.SockFilter) (fd int, errno syscall.Errno) {
	p := unix.SockFprog{Len: uint16(len(prog)), Filter: unsafe.SliceData(prog)}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	r, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, uintptr(unsafe.Pointer(&p)))
	if errno == unix.EINVAL { // before Linux 5.19
		r, _, errno = unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&p)))
	}
	return int(r), errno
}

// execute replaces this program. It calls nothing else: the thread is under the
// filter.
func execute(path *byte, argv, env []*byte) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(unsafe.SliceData(argv))), uintptr(unsafe.Pointer(unsafe.SliceData(env))))
	return errno
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
