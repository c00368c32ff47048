//go:build failpoint

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// steps are the hooks in the life of a task, in the order in which they are
// reached, and whether one can report an error.
var steps = []struct {
	hook string
	errs bool
}{
	{"master.send", false}, {"master.sent", false},
	{"worker.taken", false}, {"worker.read", true}, {"worker.multiply", true}, {"worker.step", false},
	{"worker.multiplied", true}, {"worker.write", true}, {"worker.done", false}, {"worker.answered", false},
	{"master.answer", false}, {"master.noted", false},
}

// TestEveryStepOfATaskMayBeTheLast ends, stops and fails master and workers at
// every step of the life of the first, a middle and the last task that reaches
// it.
func TestEveryStepOfATaskMayBeTheLast(t *testing.T) {
	dir := operands(t, 600) // several reads of each operand
	hits := filepath.Join(t.TempDir(), "hits")
	armed := func(hook string, nth int, action string) *running {
		if err := os.WriteFile(hits, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, "c.npy"))
		cmd := command(dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--json", "--workers", "2", "--tile", "96x144",
			"--verify", "none", "--stall", "1s")
		cmd.Env = append(os.Environ(), fmt.Sprintf("MATMUL_FAILPOINT=%s:%d:%s", hook, nth, action), "MATMUL_FAILPOINT_HITS="+hits)
		return startWith(t, cmd, (*exec.Cmd).Start)
	}
	count := func() int {
		st, err := os.Stat(hits)
		if err != nil {
			t.Fatal(err)
		}
		return int(st.Size())
	}
	want, runs := "", 0
	for _, s := range steps {
		r := armed(s.hook, 0, "kill")
		if code := r.wait(); code != 0 {
			t.Fatalf("%s: exit status %d without a fault: %s", s.hook, code, r.stderr.String())
		}
		n := count()
		if n < 3 {
			t.Fatalf("%s was reached %d times, want 3 at least", s.hook, n)
		}
		if got := sum(t, filepath.Join(dir, "c.npy")); want == "" {
			want = got
		} else if got != want {
			t.Fatalf("C has the SHA-256 %s, want %s", got, want)
		}
		for _, action := range []string{"kill", "exit", "stop", "error"} {
			if action == "error" && !s.errs {
				continue
			}
			for _, nth := range hitsOf(n) {
				name := fmt.Sprintf("%s/%s/%d", s.hook, action, nth)
				t.Run(name, func(t *testing.T) {
					r := armed(s.hook, nth, action)
					r.t = t
					counted := survive(r, strings.HasPrefix(s.hook, "master."), action, want)
					if done := s.hook == "worker.answered" && nth == n; !counted && !done {
						t.Errorf("the deaths are not what they should be: %s", r.stdout.String())
					}
					if count() < nth {
						t.Errorf("the hook was reached %d times: nothing happened", count())
					}
				})
				runs++
			}
		}
	}
	t.Logf("%d runs with one fault each; C has the SHA-256 %s", runs, want)
}

// hitsOf returns which of n hits are tried.
func hitsOf(n int) []int {
	if testing.Short() {
		return []int{(n + 1) / 2}
	}
	return []int{1, (n + 1) / 2, n}
}

// survive waits for the end of a run and checks that it is the one that its
// fault must have. It reports false if a worker should have been counted as dead
// and was not.
func survive(r *running, master bool, action, want string) (counted bool) {
	r.t.Helper()
	deaths := "1"
	switch {
	case action == "error": // a file that could not be used, or a worker that failed
		code, said := r.wait(), r.stderr.String()
		if code != exitInput && code != exitFailed || strings.Count(said, "\n") != 1 || !strings.Contains(said, "injected failure") {
			r.t.Errorf("exit status %d: %s", code, said)
		}
		r.left(time.Second)
		return true
	case master && action != "stop":
		dead := map[string]int{"kill": 128 + int(syscall.SIGKILL), "exit": exitFailed}
		if code := r.wait(); code != dead[action] {
			r.t.Errorf("exit status %d, want %d: %s", code, dead[action], r.stderr.String())
		}
		r.left(time.Second)
		return true
	case master: // it is suspended for longer than a worker may be silent, and goes on
		deaths = "0"
		eventually(r.t, testPatience, func() string {
			if !isStopped(r.pid()) {
				return "the master does not stop"
			}
			return ""
		})
		time.Sleep(2 * time.Second)
		syscall.Kill(r.pid(), syscall.SIGCONT)
	}
	if code := r.wait(); code != 0 {
		r.t.Fatalf("exit status %d: %s", code, r.stderr.String())
	}
	r.left(time.Second, "c.npy")
	if c := sum(r.t, filepath.Join(r.dir, "c.npy")); c != want {
		r.t.Errorf("C has the SHA-256 %s, want %s", c, want)
	}
	return strings.Contains(r.stdout.String(), `"worker_deaths":`+deaths+`,`)
}

func isStopped(pid int) bool {
	for _, s := range processes() {
		if s.pid == pid {
			return s.state == "T"
		}
	}
	return false
}
