package main

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestASuspendedJobIsNotStalled stops a whole job for longer than a worker may
// be silent, as Ctrl-Z does, and its master alone, and lets them go on.
func TestASuspendedJobIsNotStalled(t *testing.T) {
	dir := operands(t, 1400)
	for name, group := range map[string]bool{"group": true, "master": false} {
		t.Run(name, func(t *testing.T) {
			r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--json", "--force", "--workers", "2", "--isa", "generic",
				"--verify", "none", "--stall", "2s")
			awaitWorkers(r, 2)
			pid := r.pid()
			if group {
				pid = -pid
			}
			moment(200 * time.Millisecond)
			syscall.Kill(pid, syscall.SIGSTOP)
			time.Sleep(5 * time.Second)
			syscall.Kill(pid, syscall.SIGCONT)
			if code := r.wait(); code != 0 {
				t.Errorf("exit status %d: %s", code, r.stderr.String())
			}
			if !strings.Contains(r.stdout.String(), `"worker_deaths":0,`) {
				t.Errorf("a worker was replaced: %s", r.stdout.String())
			}
		})
	}
}

// TestAStoppedWorkerIsReplaced: nobody lets it go on.
func TestAStoppedWorkerIsReplaced(t *testing.T) {
	dir := operands(t, 1000)
	r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--json", "--workers", "2", "--isa", "generic", "--verify", "exact", "--stall", "1s")
	awaitWorkers(r, 2)
	for _, pid := range children(r.pid()) {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	if code := r.wait(); code != 0 {
		t.Errorf("exit status %d: %s", code, r.stderr.String())
	}
	if !strings.Contains(r.stdout.String(), `"worker_deaths":2,`) {
		t.Errorf("want 2 deaths: %s", r.stdout.String())
	}
	r.left(time.Second, "c.npy")
}
