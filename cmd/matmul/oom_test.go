package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A memoryGroup is a control group with a limit of memory.
type memoryGroup struct {
	t      *testing.T
	dir    string
	before int // kills before the command was started
}

func newLimitedGroup(t *testing.T) *memoryGroup {
	t.Helper()
	dir, err := newMemoryGroup(fmt.Sprint(oomLimit))
	if err != nil {
		t.Skip(err)
	}
	leaveGroup(t, dir)
	// What is to be full must not be swapped out; one of these is there.
	_ = setGroup(dir, "memory.swappiness", "0")
	_ = setGroup(dir, "memory.swap.max", "0")
	return &memoryGroup{t: t, dir: dir}
}

// start starts the command in the group, with the limit that it has at first.
func (g *memoryGroup) start(dir string, args ...string) *running {
	g.t.Helper()
	g.limit(oomLimit)
	g.before = g.kills()
	return startWith(g.t, joinGroup(command(dir, args...), g.dir), (*exec.Cmd).Start)
}

func (g *memoryGroup) limit(bytes int64) {
	g.t.Helper()
	value := fmt.Sprint(bytes)
	if setGroup(g.dir, "memory.limit_in_bytes", value) != nil && setGroup(g.dir, "memory.max", value) != nil {
		g.t.Fatalf("the limit of memory cannot be set to %s", value)
	}
}

// used returns the bytes that the group takes.
func (g *memoryGroup) used() int64 {
	for _, name := range []string{"memory.usage_in_bytes", "memory.current"} {
		if used, err := strconv.ParseInt(strings.TrimSpace(read(filepath.Join(g.dir, name))), 10, 64); err == nil {
			return used
		}
	}
	g.t.Fatal("the use of memory is not to be had")
	return 0
}

// kills returns how many processes of the group the OOM killer has ended.
func (g *memoryGroup) kills() int {
	for _, name := range []string{"memory.oom_control", "memory.events"} {
		for line := range strings.Lines(read(filepath.Join(g.dir, name))) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "oom_kill" {
				n, _ := strconv.Atoi(f[1])
				return n
			}
		}
	}
	g.t.Fatal("nobody counts what the OOM killer does")
	return 0
}

// oomArgs are a job of one tile: of so much memory that half of the limit, by which a
// worker counts for more than the master, outweighs what the master has, and of so
// little work that it takes but ten seconds under the race detector.
var oomArgs = []string{"run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "1", "--isa", "generic", "--tile", fmt.Sprintf("%dx%d", oomRows, oomSize), "--verify", "none", "--json", "--force", "--progress", "never"}

const (
	oomRows  = 100                                 // of A and C
	oomSize  = 2000                                // of B, and the columns of A
	oomTile  = 8 * oomSize * (oomRows + oomSize/2) // shared bytes of a worker at its tile: more than A and C
	oomLimit = 512 << 20
)

// fill waits until the worker of r is at its tile, ends it, and leaves too little
// memory for another one to come as far. So it is workers that ask for more than
// there is, and nobody else: one that asks while the kernel is still ending a
// process makes it end a second one, the master. That is stopped meanwhile.
func (g *memoryGroup) fill(r *running) {
	g.t.Helper()
	var pid int
	eventually(g.t, testPatience, func() string {
		for _, pid = range children(r.pid()) {
			if resident(pid, "RssShmem:") > oomTile {
				return ""
			}
		}
		return "no worker is at its tile"
	})
	room := resident(pid, "RssAnon:") * 3 / 4 // enough to start a process
	r.stop(g.t)
	syscall.Kill(pid, syscall.SIGKILL)
	eventually(g.t, testPatience, func() string {
		if threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)); err == nil && len(threads) > 1 ||
			!strings.Contains(read(fmt.Sprintf("/proc/%d/status", pid)), "\nState:\tZ") {
			return "the worker does not end"
		}
		return "" // and what it had is given back
	})
	g.limit(g.used() + room)
	syscall.Kill(r.pid(), syscall.SIGCONT)
}

// stop stops r and waits until each of its threads stands: one that still runs could
// see a worker's end.
func (r *running) stop(t *testing.T) {
	t.Helper()
	syscall.Kill(r.pid(), syscall.SIGSTOP)
	eventually(t, testPatience, func() string {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", r.pid()))
		for _, thread := range threads {
			if status := read(thread); !strings.Contains(status, "\nState:\tT") {
				return "a thread does not stop: " + status
			}
		}
		return ""
	})
}

// awaitKill waits until the OOM killer has ended a process since r was started, or r
// has ended.
func (g *memoryGroup) awaitKill(r *running) {
	g.t.Helper()
	eventually(g.t, testPatience, func() string {
		if g.kills() == g.before && len(r.ended) == 0 {
			return "the OOM killer does nothing"
		}
		return ""
	})
}

// resident returns how much memory of a kind a process has.
func resident(pid int, kind string) (bytes int64) {
	_, rest, _ := strings.Cut(read(fmt.Sprintf("/proc/%d/status", pid)), kind)
	fmt.Sscan(rest, &bytes)
	return bytes << 10
}

// taken does the job with too little memory: meanwhile until that is to change, or
// until it ends. A new worker that asks for more before the master could offer it to
// the OOM killer makes the kernel end the master; then it is done again.
func (g *memoryGroup) taken(dir string, meanwhile func(r *running)) (r *running, code int) {
	g.t.Helper()
	for range 10 {
		r = g.start(dir, oomArgs...)
		g.fill(r)
		meanwhile(r)
		code = r.wait()
		r.left(testPatience)
		if code != 128+int(syscall.SIGKILL) {
			break
		}
	}
	return r, code
}

// TestTheOOMKillerTakesAWorker leaves the control group of a job too little memory
// until the kernel kills, and then makes room: the job goes on.
func TestTheOOMKillerTakesAWorker(t *testing.T) {
	dir := operandsOf(t, oomRows, oomSize, oomSize)
	g := newLimitedGroup(t)
	runCommand(t, dir, oomArgs...)
	want := sum(t, filepath.Join(dir, "c.npy"))
	r, code := g.taken(dir, func(r *running) {
		g.awaitKill(r)
		g.limit(oomLimit)
	})
	if code != 0 {
		t.Fatalf("exit status %d after %d kills: %s", code, g.kills(), r.stderr.String())
	}
	// The first death is the test's doing.
	if deaths := `"worker_deaths":%d,`; g.kills() == g.before || strings.Contains(r.stdout.String(), fmt.Sprintf(deaths, 0)) ||
		strings.Contains(r.stdout.String(), fmt.Sprintf(deaths, 1)) {
		t.Errorf("%d kills: %s", g.kills(), r.stdout.String())
	}
	if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
		t.Errorf("C has the SHA-256 %s, want %s", got, want)
	}
}

// TestAJobWhoseWorkersTheOOMKillerTakesSaysSo leaves the control group too little
// until the job gives up.
func TestAJobWhoseWorkersTheOOMKillerTakesSaysSo(t *testing.T) {
	dir := operandsOf(t, oomRows, oomSize, oomSize)
	g := newLimitedGroup(t)
	r, code := g.taken(dir, func(*running) {})
	said := r.stderr.String()
	if code != exitWorkers || !strings.HasPrefix(said, "matmul: workers lost: ") || strings.Count(said, "\n") != 1 ||
		!strings.Contains(said, "; the kernel's OOM killer ended ") {
		t.Errorf("exit status %d, want %d, after %d kills: %s", code, exitWorkers, g.kills(), said)
	}
}
