//go:build failpoint

package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// child is the variable that makes this test's program hit a hook some times.
const child = "FAILPOINT_TEST_HITS"

func TestMain(m *testing.M) {
	if n := len(os.Getenv(child)); n > 0 {
		for range n {
			Hit("other")
			if err := Hit("here"); errors.Is(err, ErrInjected) {
				os.Exit(7)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hits starts a process that hits the hook n times, and returns how it ended.
func hits(t *testing.T, n int, env ...string) syscall.WaitStatus {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), child+"="+strings.Repeat(".", n)), env...)
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Error(err)
	}
	return cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func TestTheArmedHitTakesItsAction(t *testing.T) {
	for _, c := range []struct {
		spec   string
		signal syscall.Signal
		status int
	}{
		{"here:3:kill", syscall.SIGKILL, 0}, {"here:1:exit", -1, 1}, {"here:3:error", -1, 7},
		{"here:4:kill", -1, 0}, {"here:0:kill", -1, 0}, {"elsewhere:1:kill", -1, 0}, {"", -1, 0},
		{"here:1:burn", -1, 2}, {"here", -1, 2}, {"here:x:kill", -1, 2}, // panics: nobody reads tests that test nothing
	} {
		s := hits(t, 3, "MATMUL_FAILPOINT="+c.spec)
		if c.signal > 0 && s.Signal() != c.signal || c.signal < 0 && (!s.Exited() || s.ExitStatus() != c.status) {
			t.Errorf("%q: ended with %v, status %d", c.spec, s.Signal(), s.ExitStatus())
		}
	}
}

func TestOneHitOfAllProcessesIsTheNth(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hits")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	failed := 0
	for range 4 {
		all.Go(func() {
			s := hits(t, 5, "MATMUL_FAILPOINT=here:7:error", "MATMUL_FAILPOINT_HITS="+file)
			mu.Lock()
			defer mu.Unlock()
			failed += s.ExitStatus() / 7
		})
	}
	all.Wait()
	if failed != 1 {
		t.Errorf("%d processes took the action, want 1", failed)
	}
}

func TestAStoppedProcessGoesOn(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), child+"=..", "MATMUL_FAILPOINT=here:1:stop")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var s syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &s, syscall.WUNTRACED, nil); err != nil || !s.Stopped() {
		t.Errorf("not stopped: %v, %v", s, err)
	}
	cmd.Process.Signal(syscall.SIGCONT)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
