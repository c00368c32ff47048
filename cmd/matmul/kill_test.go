package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"matmul/internal/sys/inject"
)

// TestKilledWorkersChangeNothing kills random workers at random moments.
func TestKilledWorkersChangeNothing(t *testing.T) {
	runs := 6
	if campaign {
		runs = 200
	}
	dir := operands(t, 400)
	args := []string{"run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--workers", "3", "--tile", "32x48", "--isa", "generic", "--verify", "none"}
	runCommand(t, dir, args...)
	want := sum(t, filepath.Join(dir, "c.npy"))
	kills := 0
	for range runs {
		r := start(t, dir, append(args, "--segment", []string{"memfd", "posix", "sysv", "file"}[rand.IntN(4)])...)
		kills += killWorkers(r)
		if code := r.wait(); code != 0 {
			t.Fatalf("exit status %d: %s", code, r.stderr.String())
		}
		r.left(time.Second)
		if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
			t.Fatalf("C has the SHA-256 %s, want %s", got, want)
		}
	}
	t.Logf("%d workers killed in %d runs", kills, runs)
	if kills < runs/2 {
		t.Errorf("only %d kills in %d runs: this shows little", kills, runs)
	}
}

// killWorkers kills one to three workers of a run, as long as it goes on, once there
// are any.
func killWorkers(r *running) (kills int) {
	awaitWorkers(r, 1)
	for range 1 + rand.IntN(3) {
		moment(60 * time.Millisecond)
		if pids := children(r.pid()); len(pids) > 0 && len(r.ended) == 0 {
			if syscall.Kill(pids[rand.IntN(len(pids))], syscall.SIGKILL) == nil {
				kills++
			}
		}
	}
	return kills
}

// TestWorkersThatAllDieEndTheRun kills every worker as soon as it is there.
func TestWorkersThatAllDieEndTheRun(t *testing.T) {
	dir := operands(t, 1000)
	r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "2", "--isa", "generic")
	stop := make(chan struct{})
	go func() {
		for {
			for _, pid := range children(r.pid()) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	code := r.wait()
	close(stop)
	if code != exitWorkers || !strings.HasPrefix(r.stderr.String(), "matmul: workers lost: 12 died one after the other without finishing a task: ") ||
		!strings.Contains(r.stderr.String(), " × signal: killed") {
		t.Errorf("exit status %d, want %d: %s", code, exitWorkers, r.stderr.String())
	}
	r.left(time.Second)
}

// TestARunWithoutWorkersSaysWhatToRaise: no process can be started, since the
// system refuses what it takes.
func TestARunWithoutWorkersSaysWhatToRaise(t *testing.T) {
	dir := operands(t, 50)
	for _, c := range []struct {
		call  int
		errno syscall.Errno
		code  int
		want  string
	}{
		{syscall.SYS_SOCKETPAIR, syscall.EMFILE, exitResource, "12 × socketpair: too many open files; raise 'ulimit -n'"},
		{syscall.SYS_CLONE, syscall.EAGAIN, exitResource, "12 × fork/exec /proc/self/exe: resource temporarily unavailable; raise 'ulimit -u', or pids.max of the control group"},
		{syscall.SYS_CLONE, syscall.ENOMEM, exitResource, "12 × fork/exec /proc/self/exe: cannot allocate memory; free memory, or use fewer --workers"},
		{syscall.SYS_CLONE, syscall.ENOSYS, exitWorkers, "12 × fork/exec /proc/self/exe: function not implemented"},
	} {
		r := startWith(t, command(dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "2"), func(cmd *exec.Cmd) error {
			_, err := inject.Start(cmd, []int{c.call}, func(call inject.Call) syscall.Errno {
				if call.Runtime { // its threads
					return 0
				}
				return c.errno
			})
			if errors.Is(err, inject.ErrUnavailable) {
				t.Skip(err)
			}
			return err
		})
		want := "matmul: workers lost: none could be started: " + c.want + "\n"
		if code := r.wait(); code != c.code || r.stderr.String() != want {
			t.Errorf("exit status %d, want %d: got\n%swant\n%s", code, c.code, r.stderr.String(), want)
		}
		r.left(testPatience)
	}
}

// TestKilledMasterLeavesNothing: the kernel tells the workers, stopped ones as
// well, within a second.
func TestKilledMasterLeavesNothing(t *testing.T) {
	dir := operands(t, 500)
	for _, segment := range []string{"memfd", "posix", "file", "memfd", "posix", "file"} {
		r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--workers", "2", "--isa", "generic", "--verify", "none", "--segment", segment)
		awaitWorkers(r, 1)
		moment(80 * time.Millisecond)
		if rand.IntN(2) == 0 {
			for _, pid := range children(r.pid()) {
				syscall.Kill(pid, syscall.SIGSTOP)
			}
		}
		syscall.Kill(r.pid(), syscall.SIGKILL)
		switch code := r.wait(); code {
		case 0: // it was faster
			r.left(time.Second, "c.npy")
		case 128 + int(syscall.SIGKILL):
			r.left(time.Second)
		default:
			t.Errorf("exit status %d", code)
		}
		os.Remove(filepath.Join(dir, "c.npy"))
	}
}
