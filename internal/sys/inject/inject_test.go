package inject

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain makes this program the command, too: one that says which of three
// looks at / failed.
func TestMain(m *testing.M) {
	Main()
	if os.Getenv("INJECT_TEST_COMMAND") != "" {
		r, w, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		w.Close()
		io.Copy(io.Discard, r)
		for i := range 3 {
			if _, err := os.Readlink("/proc/self/cwd"); err != nil {
				fmt.Printf("%d: %v\n", i+1, err)
			}
		}
		return
	}
	os.Exit(m.Run())
}

// lookThrice runs the command and returns what it said, and the calls seen.
func lookThrice(t *testing.T, calls []int, decide func(Call) syscall.Errno, env ...string) (said string, seen []Call) {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), "INJECT_TEST_COMMAND=1"), env...)
	cmd.Stdout = &out
	ended, err := Start(cmd, calls, func(c Call) syscall.Errno {
		seen = append(seen, c)
		return decide(c)
	})
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	<-ended
	return out.String(), seen
}

func TestOneCallFails(t *testing.T) {
	for n := 1; n <= 3; n++ {
		said, seen := lookThrice(t, []int{unix.SYS_READLINKAT}, func(c Call) syscall.Errno {
			if !c.Runtime && c.N == n {
				return syscall.EIO
			}
			return 0
		})
		want := fmt.Sprintf("%d: readlink /proc/self/cwd: input/output error\n", n)
		if said != want {
			t.Errorf("the command said %q, want %q", said, want)
		}
		seen = slices.DeleteFunc(seen, func(c Call) bool { return c.Runtime }) // the race detector's
		if len(seen) != 3 || seen[2].String() != "master readlinkat #3" {
			t.Errorf("calls were %v", seen)
		}
	}
}

// TestAFailedCloseClosesAllTheSame: the command reads to the end of a pipe whose
// other end it could not close.
func TestAFailedCloseClosesAllTheSame(t *testing.T) {
	failed := 0
	said, _ := lookThrice(t, []int{unix.SYS_CLOSE}, func(c Call) syscall.Errno {
		if c.Runtime {
			return 0
		}
		failed++
		return syscall.EIO
	})
	if said != "" || failed == 0 {
		t.Errorf("the command said %q after %d failures", said, failed)
	}
}

// TestAllCallsAreTold: also of a process that has one thread run at a time.
func TestAllCallsAreTold(t *testing.T) {
	for _, procs := range []string{"1", "2"} {
		said, seen := lookThrice(t, nil, func(Call) syscall.Errno { return 0 }, "GOMAXPROCS="+procs)
		if said != "" {
			t.Errorf("the command said %q", said)
		}
		for _, want := range []string{"master readlinkat #3", "master rt_sigaction #1 of the runtime", "master exit_group #1 of the runtime"} {
			if !slices.ContainsFunc(seen, func(c Call) bool { return c.String() == want }) {
				t.Errorf("%s is missing in %v", want, seen)
			}
		}
	}
}
