package inject

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
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
	c, err := newCommand(calls, os.Args[1], os.Args[2:], os.Environ())
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := sys.NoNewPrivileges(); err != nil {
		return err
	}
	what, errno := c.enter(socketFD)
	return fmt.Errorf("%s: %w", what, errno)
}
