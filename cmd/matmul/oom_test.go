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

// A memoryGroup is a control group with a limit of memory, and a file in memory
// that takes what is left of it.
type memoryGroup struct {
	t     *testing.T
	dir   string
	limit int64
	file  string
}

func newFullGroup(t *testing.T, limit int64) *memoryGroup {
	t.Helper()
	dir, err := newMemoryGroup(fmt.Sprint(limit))
	if err != nil {
		t.Skip(err)
	}
	leaveGroup(t, dir)
	// What is to be full must not be swapped out; one of these is there.
	_ = setGroup(dir, "memory.swappiness", "0")
	_ = setGroup(dir, "memory.swap.max", "0")
	g := &memoryGroup{t: t, dir: dir, limit: limit, file: fmt.Sprintf("/dev/shm/oom-test-%d", os.Getpid())}
	t.Cleanup(g.empty)
	return g
}

// start starts the command in the group.
func (g *memoryGroup) start(dir string, args ...string) *running {
	g.t.Helper()
	return startWith(g.t, joinGroup(command(dir, args...), g.dir), (*exec.Cmd).Start)
}

// left returns the bytes that the group may still take.
func (g *memoryGroup) left() int64 {
	for _, name := range []string{"memory.usage_in_bytes", "memory.current"} {
		if used, err := strconv.ParseInt(strings.TrimSpace(read(filepath.Join(g.dir, name))), 10, 64); err == nil {
			return g.limit - used
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

// take makes the file longer, by a process of the group that is too small for
// the OOM killer.
func (g *memoryGroup) take(bytes int64) {
	g.t.Helper()
	cmd := exec.Command("sh", "-c", `echo $$ > "$0"/cgroup.procs && exec head -c "$1" /dev/zero >> "$2"`,
		g.dir, fmt.Sprint(bytes), g.file)
	_ = cmd.Run() // there may be less
}

// oomArgs are a job of one long tile.
var oomArgs = []string{"run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "1", "--isa", "generic", "--tile", "1400x1400", "--verify", "none", "--json", "--force", "--progress", "never"}

const (
	oomSize  = 1400
	oomOwn   = 3 << 20 // of a worker that has begun
	oomStep  = 1 << 20 // less than that, so that its end makes room for a step
	oomRoom  = 4 << 20 // less than a worker comes to have
	oomLimit = 512 << 20
)

// fill takes what is left, step by step, while a worker of r is at its tile. It
// reports whether the OOM killer has ended a process; if not, r has ended. The
// kernel may kill once more while that process is still ending, and takes the
// master then.
func (g *memoryGroup) fill(r *running) bool {
	g.t.Helper()
	kills := g.kills()
	eventually(g.t, testPatience, func() string {
		g.press(r)
		if g.kills() == kills && len(r.ended) == 0 {
			return "the OOM killer does nothing"
		}
		return ""
	})
	return g.kills() > kills
}

// press takes what is left, or a step of it, if a worker of r is at its tile.
func (g *memoryGroup) press(r *running) {
	g.t.Helper()
	for _, pid := range children(r.pid()) {
		if own(pid) > oomOwn {
			g.take(max(g.left()-oomStep, oomStep))
		}
	}
}

// holdFull leaves too little for a worker to come to its tile, until r ends: those
// that try are who asks for more than there is. One that gets there is pressed.
func (g *memoryGroup) holdFull(r *running) {
	g.t.Helper()
	eventually(g.t, testPatience, func() string {
		if more := g.left() - oomRoom; more > 0 {
			g.take(more)
		}
		g.press(r)
		if len(r.ended) == 0 {
			return "the job goes on without memory"
		}
		return ""
	})
}

// own returns how much memory a process has that is nobody else's.
func own(pid int) (bytes int64) {
	_, rest, _ := strings.Cut(read(fmt.Sprintf("/proc/%d/status", pid)), "RssAnon:")
	fmt.Sscan(rest, &bytes)
	return bytes << 10
}

func (g *memoryGroup) empty() { os.Remove(g.file) }

// TestTheOOMKillerTakesAWorker fills the control group of a job until the kernel
// kills, and then makes room: the job goes on. If the kernel took the master, it is
// done again.
func TestTheOOMKillerTakesAWorker(t *testing.T) {
	dir := operands(t, oomSize)
	g := newFullGroup(t, oomLimit)
	runCommand(t, dir, oomArgs...)
	want := sum(t, filepath.Join(dir, "c.npy"))
	var r *running
	killed, code := true, 128+int(syscall.SIGKILL)
	for try := 0; killed && code == 128+int(syscall.SIGKILL) && try < 20; try++ {
		r = g.start(dir, oomArgs...)
		killed = g.fill(r)
		g.empty()
		code = r.wait()
	}
	if code != 0 {
		t.Fatalf("exit status %d after %d kills: %s", code, g.kills(), r.stderr.String())
	}
	if !killed || strings.Contains(r.stdout.String(), `"worker_deaths":0,`) {
		t.Errorf("%d kills: %s", g.kills(), r.stdout.String())
	}
	if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
		t.Errorf("C has the SHA-256 %s, want %s", got, want)
	}
	r.left(testPatience)
}

// TestAJobWhoseWorkersTheOOMKillerTakesSaysSo fills the control group until the
// job gives up. The kernel may take the master, which can say nothing then; such a
// run is done again.
func TestAJobWhoseWorkersTheOOMKillerTakesSaysSo(t *testing.T) {
	dir := operands(t, oomSize)
	g := newFullGroup(t, oomLimit)
	for range 20 {
		r := g.start(dir, oomArgs...)
		g.fill(r)
		g.holdFull(r)
		g.empty()
		code, said := r.wait(), r.stderr.String()
		r.left(testPatience)
		if code == 128+int(syscall.SIGKILL) {
			continue
		}
		if code != exitWorkers || !strings.HasPrefix(said, "matmul: workers lost: ") || strings.Count(said, "\n") != 1 ||
			!strings.Contains(said, "; the kernel's OOM killer ended ") {
			t.Errorf("exit status %d, want %d, after %d kills: %s", code, exitWorkers, g.kills(), said)
		}
		return
	}
	t.Errorf("the OOM killer took the master again and again, in %d kills", g.kills())
}
