package inject

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"matmul/internal/sys"
)

// A Kind of call is what calls are counted by.
type Kind struct {
	NR int // the call's number
	// Started says that a process made the call that the command started.
	Started bool
	// Runtime says that Go's runtime made it on its own account, and not
	// package syscall, for whatever is built on it.
	Runtime bool
}

// A Call is one system call, as it is about to be made.
type Call struct {
	Kind
	N    int // of its kind, from 1 on
	Args [6]uint64
	From string // the function that makes it
}

// String names the call: "worker openat #3 (runtime)".
func (c Call) String() string {
	s := "master "
	if c.Started {
		s = "worker "
	}
	s += fmt.Sprintf("%s #%d", Name(c.NR), c.N)
	if c.Runtime {
		s += " of the runtime"
	}
	return s
}

// Start starts cmd and asks decide of each call in the list, of all if it is
// empty: an error makes the call fail with it and without being done (but for
// close, which closes all the same), zero lets it go on. decide is called from one goroutine, that must not wait for the
// command. Start returns when the command is on its way; ended is closed when
// all of its processes have ended. The descriptors of the command, and how it is
// waited for, are as after cmd.Start.
func Start(cmd *exec.Cmd, calls []int, decide func(Call) syscall.Errno) (ended <-chan struct{}, err error) {
	mine, theirs, err := sys.SocketPair()
	if err != nil {
		return nil, err
	}
	defer mine.Close()
	defer theirs.Close()
	list := []string{strconv.Itoa(unix.SYS_EXECVE)} // for where the command begins
	for _, nr := range calls {
		list = append(list, strconv.Itoa(nr))
	}
	if len(calls) == 0 {
		list = nil
	}
	env := cmd.Env
	if env == nil {
		env = os.Environ()
	}
	cmd.Env = append(env, mark+"="+strings.Join(list, " "), "GODEBUG=asyncpreemptoff=1")
	cmd.Args = append([]string{"inject", cmd.Path}, cmd.Args...)
	cmd.Path = "/proc/self/exe"
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	theirs.Close()
	s := &supervisor{command: cmd.Process.Pid, decide: decide, counts: map[Kind]int{}, started: map[uint32]bool{}}
	if s.listener, err = receiveListener(mine); err == nil {
		s.null, err = os.Open(os.DevNull)
	}
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.null.Close()
		defer s.listener.Close()
		s.run()
	}()
	return done, nil
}

// startPatience is how long a process may take to go under its filter.
const startPatience = time.Minute

// receiveListener waits for what the calls of a command are told on.
func receiveListener(socket *os.File) (*os.File, error) {
	limit := unix.NsecToTimeval(startPatience.Nanoseconds())
	if err := unix.SetsockoptTimeval(int(socket.Fd()), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return nil, err
	}
	_, files, err := sys.Receive(socket, make([]byte, 1))
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil, fmt.Errorf("no command under a filter within %v", startPatience)
	case err != nil || len(files) != 1:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(err, errors.New("no filter")))
	}
	return files[0], nil
}

// ErrUnavailable is returned where the kernel tells no calls to this process.
var ErrUnavailable = errors.New("system calls cannot be made to fail here (seccomp with notifications, Linux 5.5)")

// supervisor answers the calls of one command.
type supervisor struct {
	listener *os.File
	null     *os.File // takes the place of descriptors whose close is to fail
	command  int
	decide   func(Call) syscall.Errno
	begun    bool // the command is what it should be
	counts   map[Kind]int
	started  map[uint32]bool // by thread: whether its process is one that the command started
}

func (s *supervisor) run() {
	fd := int(s.listener.Fd())
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			if fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0 {
				return // nobody is left under the filter
			}
			continue
		}
		n, err := receive(fd)
		if err != nil {
			continue // its thread was killed
		}
		errno := s.judge(n)
		if errno != 0 && n.nr == unix.SYS_CLOSE {
			// Linux closes the file whatever close returns: close(2). An error
			// here means that it was not open.
			exchange(fd, n.id, uint32(n.args[0]), s.null)
		}
		answer(fd, n.id, errno) // an error means that its thread was killed
	}
}

// judge counts a call and returns what it is to fail with.
func (s *supervisor) judge(n notification) syscall.Errno {
	if !s.begun {
		s.begun = n.nr == unix.SYS_EXECVE
		return 0
	}
	c := Call{Kind: Kind{NR: int(n.nr), Started: s.isStarted(n.pid)}, Args: n.args, From: "?"}
	if f := runtime.FuncForPC(uintptr(n.ip)); f != nil {
		c.From = f.Name()
	}
	c.Runtime = !strings.HasPrefix(c.From, "syscall.") && !strings.HasPrefix(c.From, "internal/runtime/syscall") || sharesWithRuntime(c)
	s.counts[c.Kind]++
	c.N = s.counts[c.Kind]
	return s.decide(c)
}

// sharesWithRuntime reports whether it is the runtime that makes a call, although
// through the same function as everybody: for its network poller, and to look
// whether the standard descriptors are open.
func sharesWithRuntime(c Call) bool {
	switch c.NR {
	case unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2:
		return true
	}
	return c.NR == unix.SYS_FCNTL && c.Args[0] <= 2 && c.Args[1] == unix.F_GETFD
}

// isStarted looks which process a thread belongs to.
func (s *supervisor) isStarted(tid uint32) bool {
	if known, ok := s.started[tid]; ok {
		return known
	}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	_, rest, _ := bytes.Cut(b, []byte("\nTgid:\t"))
	pid, _, _ := bytes.Cut(rest, []byte("\n"))
	s.started[tid] = string(pid) != strconv.Itoa(s.command)
	return s.started[tid]
}

// Name returns the name of a call, or its number where the name is unknown.
func Name(nr int) string {
	if name := names[nr]; name != "" {
		return name
	}
	return "call " + strconv.Itoa(nr)
}
