package inject

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"matmul/internal/sys"
)

// mark is the variable that turns a process into the one that goes under the
// filter and becomes the command. Its value lists the calls that are told.
const mark = "MATMUL_TEST_INJECT"

const socketFD = 3

// Main turns this process into a command whose calls are told, if it was
// started by [Start], and does not return then.
func Main() {
	list, ok := os.LookupEnv(mark)
	if !ok {
		return
	}
	if err := become(list); err != nil {
		fmt.Fprintf(os.Stderr, "inject: %v\n", err)
	}
	os.Exit(127)
}

// become makes this process the command that its arguments name.
func become(list string) error {
	var calls []int
	for word := range strings.FieldsSeq(list) {
		nr, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		calls = append(calls, nr)
	}
	syscall.CloseOnExec(socketFD)
	os.Unsetenv(mark)
	os.Unsetenv("GODEBUG") // not the command's
	path, err := syscall.BytePtrFromString(os.Args[1])
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(os.Args[2:])
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(os.Environ())
	if err != nil {
		return err
	}
	if err := sys.NoNewPrivileges(); err != nil {
		return err
	}
	prog := filter(calls)

	// From the filter to execve this thread makes no other call: it would wait
	// for an answer from somebody who does not know of it yet. Another thread
	// sends the descriptor, and both look at these. The scheduler must not take
	// this thread, either: it was started without preemption, and nothing is
	// collected.
	debug.SetGCPercent(-1)
	runtime.GC() // the one that may be under way
	var listener atomic.Int64
	var sent atomic.Bool
	failed := make(chan error, 1)
	go func() {
		for listener.Load() == 0 {
			runtime.Gosched()
		}
		fd := int(listener.Load())
		if fd < 0 {
			failed <- fmt.Errorf("seccomp: %w", syscall.Errno(-fd))
			return
		}
		err := sys.Send(os.NewFile(socketFD, "socket"), []byte("listener"), os.NewFile(uintptr(fd), "listener"))
		sent.Store(err == nil)
		failed <- err
	}()
	runtime.LockOSThread()
	fd, errno := install(prog)
	if errno != 0 {
		listener.Store(-int64(errno))
		return <-failed
	}
	listener.Store(int64(fd))
	for !sent.Load() {
		// No call, and nothing that could become one.
	}
	return execute(path, argv, env)
}
