package main

import (
	"os/exec"
	"path/filepath"
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

// freezers are the control groups that can be frozen: of version 1 and 2.
var freezers = []struct{ name, controller, file, thawed, frozen, state, isFrozen string }{
	{"version 1", "freezer", "freezer.state", "THAWED", "FROZEN", "freezer.state", "FROZEN"},
	{"version 2", "", "cgroup.freeze", "0", "1", "cgroup.events", "frozen 1"},
}

// TestAFrozenJobIsNotStalled freezes the control group of a whole job for longer
// than a worker may be silent, as a scheduler does that suspends it, and thaws it.
func TestAFrozenJobIsNotStalled(t *testing.T) {
	dir := operands(t, 1400)
	for _, f := range freezers {
		t.Run(f.name, func(t *testing.T) {
			group, err := newGroup(f.controller, f.file, f.thawed)
			if err != nil {
				t.Skip(err)
			}
			leaveGroup(t, group)
			set := func(state string) {
				t.Helper()
				if err := setGroup(group, f.file, state); err != nil {
					t.Fatal(err)
				}
			}
			r := startWith(t, joinGroup(command(dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--json", "--force", "--workers", "2",
				"--isa", "generic", "--verify", "none", "--stall", "2s"), group), (*exec.Cmd).Start)
			defer set(f.thawed)
			awaitWorkers(r, 2)
			moment(200 * time.Millisecond)
			set(f.frozen)
			eventually(t, testPatience, func() string {
				if state := read(filepath.Join(group, f.state)); !strings.Contains(state, f.isFrozen) {
					return "the group is not frozen: " + state
				}
				return ""
			})
			time.Sleep(5 * time.Second)
			set(f.thawed)
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
