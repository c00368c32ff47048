package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testPatience is how long a test waits for what should take milliseconds. What
// takes longer hangs.
const testPatience = time.Minute

// A running is a command under way, and what the machine was like before it.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	dir    string
	before world
	stdout bytes.Buffer
	stderr bytes.Buffer
	ended  chan error
}

// A world is what a command might leave behind.
type world struct{ files, shm, segments []string }

func look(dir string) (w world) {
	w.files, w.shm = list(dir), list("/dev/shm")
	// The tests of tune, which run beside these, keep trees there.
	w.shm = slices.DeleteFunc(w.shm, func(name string) bool { return strings.HasPrefix(name, "matmul-tune-test-") })
	b, _ := os.ReadFile("/proc/sysvipc/shm")
	for line := range strings.Lines(string(b)) {
		// A segment whose creator lives is another test's: what is looked for
		// here are those of processes that have ended.
		if f := strings.Fields(line); len(f) > 4 && !exists("/proc/"+f[4]) {
			w.segments = append(w.segments, f[1]+" of process "+f[4])
		}
	}
	return w
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func list(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// start starts the command in dir, as the leader of a process group.
func start(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	return startWith(t, command(dir, args...), (*exec.Cmd).Start)
}

// startWith starts cmd, which is or becomes the command, by begin.
func startWith(t *testing.T, cmd *exec.Cmd, begin func(*exec.Cmd) error) *running {
	t.Helper()
	r := &running{t: t, cmd: cmd, dir: cmd.Dir, before: look(cmd.Dir), ended: make(chan error, 1)}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	if err := begin(r.cmd); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- r.cmd.Wait() }()
	t.Cleanup(func() { syscall.Kill(-r.pid(), syscall.SIGKILL) })
	return r
}

func (r *running) pid() int { return r.cmd.Process.Pid }

// wait waits for the end and returns the exit status as a shell gives it.
func (r *running) wait() int {
	r.t.Helper()
	return r.waitFor(testPatience)
}

// waitFor is wait for a command that may take long. It counts looks: time in which
// test and command are suspended together, as by a freezer, is not the command's.
func (r *running) waitFor(limit time.Duration) int {
	r.t.Helper()
	const look = 100 * time.Millisecond
	for ended := false; !ended; limit -= look {
		select {
		case <-r.ended:
			ended = true
		case <-time.After(look):
			if limit <= 0 {
				r.t.Fatalf("the command hangs:\n%s", r.describe())
			}
		}
	}
	s := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// left fails the test unless, within limit, no process of the command is alive
// and everything is as it was before, but for the files in extra.
func (r *running) left(limit time.Duration, extra ...string) {
	r.t.Helper()
	eventually(r.t, limit, func() string {
		if pids := members(r.pid()); len(pids) > 0 {
			return "processes are left:\n" + r.describe()
		}
		return ""
	})
	want := append(slices.Clone(r.before.files), extra...)
	slices.Sort(want)
	if got := list(r.dir); !slices.Equal(got, slices.Compact(want)) {
		r.t.Errorf("files are left: %q, want %q", got, want)
	}
	after := look(r.dir)
	for _, s := range after.segments {
		// A process of the same number may have left one before.
		if owner := fmt.Sprintf(" of process %d", r.pid()); strings.HasSuffix(s, owner) && !slices.Contains(r.before.segments, s) {
			r.t.Errorf("System V segment %s is left", s)
		}
	}
	for _, name := range after.shm {
		if strings.Contains(name, "matmul") && !slices.Contains(r.before.shm, name) {
			r.t.Errorf("/dev/shm/%s is left", name)
		}
	}
}

// eventually waits until complaint returns "", and fails with what it says
// last if it does not.
func eventually(t *testing.T, limit time.Duration, complaint func() string) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		what := complaint()
		if what == "" {
			return
		}
		if time.Since(begin) > limit {
			t.Fatalf("after %v: %s", limit, what)
		}
	}
}

// awaitWorkers waits until the command has started so many processes, or has
// ended.
func awaitWorkers(r *running, n int) {
	r.t.Helper()
	eventually(r.t, testPatience, func() string {
		if len(children(r.pid())) < n && len(r.ended) == 0 {
			return "the workers have not started"
		}
		return ""
	})
}

// A stat is some of /proc/PID/stat.
type stat struct {
	pid, parent, group int
	state              string
}

// processes returns all processes but those that have ended and wait for their
// parent.
func processes() (all []stat) {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		rest := b[bytes.LastIndexByte(b, ')')+1:]
		var s stat
		if _, err := fmt.Sscan(string(rest), &s.state, &s.parent, &s.group); err == nil && s.state != "Z" && s.state != "X" {
			s.pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(name)))
			all = append(all, s)
		}
	}
	return all
}

// members returns the living processes of a process group. Workers stay in
// their master's, also when it is gone.
func members(group int) (pids []int) {
	for _, s := range processes() {
		if s.group == group {
			pids = append(pids, s.pid)
		}
	}
	return pids
}

// children returns the living children of a process.
func children(parent int) (pids []int) {
	for _, s := range processes() {
		if s.parent == parent {
			pids = append(pids, s.pid)
		}
	}
	return pids
}

// describe says what every thread of the command was doing.
func (r *running) describe() string {
	var b strings.Builder
	for _, pid := range members(r.pid()) {
		dir := fmt.Sprintf("/proc/%d/", pid)
		fmt.Fprintf(&b, "%d: %s", pid, read(dir+"status"))
		tasks, _ := filepath.Glob(dir + "task/*")
		for _, task := range tasks {
			fmt.Fprintf(&b, "  thread %s: wchan %s, syscall %s\n    stat %s    stack %s\n", filepath.Base(task),
				read(task+"/wchan"), strings.TrimSpace(read(task+"/syscall")), read(task+"/stat"), read(task+"/stack"))
		}
	}
	// The Go stacks of the master come with its last words.
	if syscall.Kill(r.pid(), syscall.SIGQUIT) == nil {
		select {
		case <-r.ended:
		case <-time.After(5 * time.Second):
		}
		b.Write(r.stderr.Bytes())
	}
	return b.String()
}

func read(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}

// sum returns the SHA-256 of a file.
func sum(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// operands makes two random matrices, a.npy and b.npy, of size n.
func operands(t *testing.T, n int) (dir string) {
	t.Helper()
	return operandsOf(t, n, n, n)
}

// operandsOf makes two random matrices, a.npy of m×k and b.npy of k×n.
func operandsOf(t *testing.T, m, n, k int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	runCommand(t, dir, "gen", "-o", "a.npy", "--rows", strconv.Itoa(m), "--cols", strconv.Itoa(k))
	runCommand(t, dir, "gen", "-o", "b.npy", "--rows", strconv.Itoa(k), "--cols", strconv.Itoa(n), "--seed", "2")
	return dir
}

// moment sleeps for a random time below limit.
func moment(limit time.Duration) { time.Sleep(rand.N(limit)) }
