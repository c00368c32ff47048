package main

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"matmul/internal/journal"
	"matmul/internal/matfile"
	"matmul/internal/sys"
	"matmul/internal/sys/inject"
)

// errnos are what calls fail with.
var errnos = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.ENOMEM, syscall.EINTR, syscall.EAGAIN, syscall.EMFILE, syscall.EPERM, syscall.ENOSYS}

// callSetups are small runs that together make every call that run makes. Those
// with checkpoints make one at the end alone, so that the same calls come in the
// same order each time.
var callSetups = []struct {
	name string
	args []string
	rows int64 // of C that an earlier run has saved
}{
	{"memfd", []string{"--segment", "memfd", "--c0", "c0.npy", "--beta", "0.5", "--verify", "freivalds", "--force"}, 0},
	{"posix", []string{"--segment", "posix", "--verify", "gonum"}, 0},
	{"sysv", []string{"--segment", "sysv", "--verify", "exact", "--json"}, 0},
	{"file", []string{"--segment", "file", "--verify", "none", "--dtype", "float32"}, 0},
	{"dry-run", []string{"--dry-run"}, 0},
	{"checkpoint", []string{"--checkpoint", "1h", "--progress", "never", "--verify", "none", "--force"}, 0},
	{"resume", []string{"--resume", "--checkpoint", "1h", "--progress", "never", "--verify", "none"}, 16},
}

// A callTest is a setup with its directory and what is right for it.
type callTest struct {
	t      *testing.T
	name   string
	dir    string
	args   []string
	saves  bool                // it can be resumed
	remain map[string][]byte   // what is there of an earlier run, by name
	old    string              // SHA-256 of c.npy before; "" if there is none
	right  string              // SHA-256 of c.npy after success
	calls  []inject.Kind       // in the order of one run
	counts map[inject.Kind]int // how many of each kind a run makes, at most
}

func newCallTest(t *testing.T, dir string, i int) *callTest {
	t.Helper()
	c := &callTest{t: t, name: callSetups[i].name, dir: t.TempDir(), counts: map[inject.Kind]int{}}
	for _, name := range []string{"a.npy", "b.npy", "c0.npy"} {
		// Another hard link would be a change of the file.
		if err := os.Symlink(filepath.Join(dir, name), filepath.Join(c.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.args = append([]string{"run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "1"}, callSetups[i].args...)
	if slices.Contains(c.args, "--force") {
		c.old = sum(t, filepath.Join(c.dir, "c0.npy"))
	}
	c.saves = slices.Contains(c.args, "--checkpoint")
	if rows := callSetups[i].rows; rows > 0 {
		c.leaveRows(rows)
	}
	c.reset()
	runCommand(t, c.dir, c.args...)
	c.right = c.sum()
	// Calls that depend on timing are not the same in number each time.
	for range 3 {
		seen := map[inject.Kind]int{}
		c.calls = nil
		c.reset()
		c.run(nil, "nothing", func(call inject.Call) syscall.Errno {
			seen[call.Kind]++
			c.calls = append(c.calls, call.Kind)
			return 0
		})
		for kind, n := range seen {
			c.counts[kind] = max(c.counts[kind], n)
		}
	}
	return c
}

// outputs are the names that a run may make.
var outputs = []string{"c.npy", "c.npy" + matfile.PartSuffix, "c.npy" + journal.Suffix}

// leaveRows makes what an earlier run has left, that had saved rows of C.
func (c *callTest) leaveRows(rows int64) {
	c.t.Helper()
	runCommand(c.t, c.dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "1")
	ref, err := matfile.Open(filepath.Join(c.dir, "c.npy"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer ref.Close()
	p := newProduct(ref.Path)
	if p.in, err = p.problemFlags.open(c.t.Context(), &matfile.Opener{}, filepath.Join(c.dir, "a.npy"), filepath.Join(c.dir, "b.npy")); err != nil {
		c.t.Fatal(err)
	}
	defer p.in.close()
	if err := errors.Join(p.specify(), p.leaveRows(ref, rows, rows/2)); err != nil {
		c.t.Fatal(err)
	}
	c.remain = map[string][]byte{}
	for _, name := range outputs[1:] {
		if c.remain[name], err = os.ReadFile(filepath.Join(c.dir, name)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// reset puts the outputs back to what they were before.
func (c *callTest) reset() {
	c.t.Helper()
	for _, name := range outputs {
		if err := os.Remove(filepath.Join(c.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			c.t.Fatal(err)
		}
	}
	for name, b := range c.remain {
		if err := os.WriteFile(filepath.Join(c.dir, name), b, 0o666); err != nil {
			c.t.Fatal(err)
		}
	}
	if c.old == "" {
		return
	}
	b, err := os.ReadFile(filepath.Join(c.dir, "c0.npy"))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "c.npy"), b, 0o666); err != nil {
		c.t.Fatal(err)
	}
}

// sum returns the SHA-256 of the output, "" if there is none.
func (c *callTest) sum() string {
	c.t.Helper()
	path := filepath.Join(c.dir, "c.npy")
	if !exists(path) {
		return ""
	}
	return sum(c.t, path)
}

// run runs the command and asks decide of its calls. what is what decide makes
// fail.
func (c *callTest) run(calls []int, what string, decide func(inject.Call) syscall.Errno) (r *running, code int) {
	c.t.Helper()
	var ended <-chan struct{}
	r = startWith(c.t, command(c.dir, c.args...), func(cmd *exec.Cmd) (err error) {
		ended, err = inject.Start(cmd, calls, decide)
		return err
	})
	hangs := time.AfterFunc(testPatience*9/10, func() { c.t.Logf("%s: the run that makes fail %s takes long", c.name, what) })
	defer hangs.Stop()
	code = r.wait()
	select {
	case <-ended:
	case <-time.After(testPatience):
		c.t.Fatalf("failing %s: processes are left:\n%s", what, r.describe())
	}
	return r, code
}

// A fault is one call to fail.
type fault struct {
	kind  inject.Kind
	n     int
	errno syscall.Errno
}

// faults lists the calls that are to fail, with what. Calls of the project and
// package os fail with every error, but for those that the first setup makes,
// too, from the start on. Those of the runtime, whose code is not ours, fail
// with one error after the other.
func (c *callTest) faults(first *callTest) (all []fault) {
	common := map[inject.Kind]int{}
	if c != first {
		common = commonStart(c.calls, first.calls)
	}
	for kind, count := range c.counts {
		for n := common[kind] + 1; n <= count; n++ {
			for i, errno := range errnos {
				if kind.Runtime && (kind.NR+n)%len(errnos) != i {
					continue
				}
				all = append(all, fault{kind, n, errno})
			}
		}
	}
	slices.SortFunc(all, func(a, b fault) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// commonStart returns how many calls of the project, by kind, two runs make in
// the same order before they differ. It passes over those whose number depends
// on that of the threads.
func commonStart(a, b []inject.Kind) map[inject.Kind]int {
	skip := func(k inject.Kind) bool {
		return k.Runtime || slices.Contains([]string{"sched_getaffinity", "prlimit64"}, inject.Name(k.NR))
	}
	a, b = slices.DeleteFunc(slices.Clone(a), skip), slices.DeleteFunc(slices.Clone(b), skip)
	common := map[inject.Kind]int{}
	for i := 0; i < min(len(a), len(b)) && a[i] == b[i]; i++ {
		common[a[i]]++
	}
	return common
}

// faultParts is how many parts the campaign has. A fault is in the same part
// each time, though the number of calls varies.
const faultParts = 1000

func (f fault) part(setup string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, setup, f)
	return h.Sum64()%faultParts + 1
}

// try makes one call fail. It returns what became of the run, "" if it did not
// make the call, and complains about what must not be.
func (c *callTest) try(f fault) (outcome string) {
	c.t.Helper()
	var hit *inject.Call
	c.reset()
	r, code := c.run([]int{f.kind.NR}, fmt.Sprintf("%s with %v", inject.Call{Kind: f.kind, N: f.n}, f.errno), func(call inject.Call) syscall.Errno {
		if call.Kind != f.kind || call.N != f.n {
			return 0
		}
		hit = &call
		return f.errno
	})
	complain := func(format string, args ...any) {
		c.t.Helper()
		c.t.Errorf("%s: %s of %s with %v: exit status %d: %s\n%s", c.name,
			inject.Call{Kind: f.kind, N: f.n}, hit.From, f.errno, code, fmt.Sprintf(format, args...), r.stderr.String())
	}
	if hit == nil {
		hit = &inject.Call{From: "nobody"}
		outcome = "not reached, "
	}
	got, said := c.sum(), r.stderr.String()
	switch {
	case code == 0 && got != c.right:
		complain("C has the SHA-256 %q, want %q", got, c.right)
	case code == 0 && !f.kind.Runtime && !allWarnings(said):
		complain("standard error says more than warnings")
	case code != 0 && !f.kind.Runtime && !isNamed(code, said):
		complain("standard error is not one line with a documented status")
	case code != 0 && got != c.old && (got != c.right || !f.kind.Runtime && !strings.Contains(said, "is complete")):
		complain("C has the SHA-256 %q, want %q", got, c.old)
	}
	if hit.From == "nobody" && code != 0 {
		complain("failed without a fault")
	}
	if f.kind.Runtime && code != 0 {
		c.removeRemains(r.pid())
	}
	r.before.files = []string{"a.npy", "b.npy", "c0.npy"}
	r.left(testPatience, c.mayRemain(code, got)...)
	if c.saves && code != 0 {
		c.resume(complain)
	}
	if code == 0 {
		return outcome + "right"
	}
	line, _, _ := strings.Cut(said, "\n")
	c.t.Logf("%s: %s with %v: exit status %d: %s", c.name, inject.Call{Kind: f.kind, N: f.n}, f.errno, code, line)
	return fmt.Sprintf("%sexit status %d", outcome, code)
}

// mayRemain returns which names may be there after a run that ended with a
// status and an output: what it saved stays if it failed.
func (c *callTest) mayRemain(code int, got string) (names []string) {
	for i, name := range outputs {
		if i == 0 && got != "" || i > 0 && c.saves && code != 0 && exists(filepath.Join(c.dir, name)) {
			names = append(names, name)
		}
	}
	return names
}

// resume goes on with what a run has left that failed, and complains if that is
// not to be had.
func (c *callTest) resume(complain func(string, ...any)) {
	c.t.Helper()
	r := start(c.t, c.dir, append(c.args, "--resume")...)
	code := r.wait()
	if got := c.sum(); got != c.right || code != 0 && !wasComplete(code, r.stderr.String()) {
		complain("and its resume has the exit status %d, C the SHA-256 %q, want %q: %s", code, got, c.right, r.stderr.String())
	}
	r.before.files = []string{"a.npy", "b.npy", "c0.npy"}
	r.left(testPatience, "c.npy")
}

// allWarnings reports whether every line is a warning.
func allWarnings(said string) bool {
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "matmul: warning: ") {
			return false
		}
	}
	return true
}

// removeRemains removes what a crash may leave, as a SIGKILL may: the name of an
// output that was about to replace another, and a System V segment that was not
// yet marked for removal.
func (c *callTest) removeRemains(pid int) {
	if c.old != "" {
		parts, _ := filepath.Glob(filepath.Join(c.dir, ".matmul-*.part"))
		for _, part := range parts {
			os.Remove(part)
		}
	}
	for _, segment := range look(c.dir).segments {
		var id, owner int
		if _, err := fmt.Sscanf(segment, "%d of process %d", &id, &owner); err == nil && owner == pid {
			sys.SysVRemove(id)
		}
	}
}

// isNamed reports whether a run ended with one line and the status of a
// failure that is not the result's.
func isNamed(code int, said string) bool {
	statuses := []int{exitFailed, exitInput, exitResource, exitWorkers}
	return slices.Contains(statuses, code) && lastLine(said)
}

// lastLine reports whether there is one line, but for warnings before it.
func lastLine(said string) bool {
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "matmul: warning: ") {
			said = said[strings.Index(said, line):]
			return strings.HasPrefix(said, "matmul: ") && strings.Count(said, "\n") == 1 && strings.HasSuffix(said, "\n")
		}
	}
	return false
}

// TestEveryCallThatFails makes system calls of a run fail, one at a time: those
// that the project and package os make must end in the right answer or in one
// line, those of Go's runtime in the right answer or in a status that is not 0.
func TestEveryCallThatFails(t *testing.T) {
	from, to := runs(t, 2, faultParts)
	dir := operands(t, 20)
	version := command(dir, "version")
	ended, err := inject.Start(version, nil, func(inject.Call) syscall.Errno { return 0 })
	switch {
	case errors.Is(err, inject.ErrUnavailable) && !campaign:
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	if err := version.Wait(); err != nil {
		t.Fatal(err)
	}
	<-ended
	runCommand(t, dir, "gen", "-o", "c0.npy", "--rows", "20", "--cols", "20", "--seed", "3")
	setups := make([]*callTest, len(callSetups))
	for i := range setups {
		setups[i] = newCallTest(t, dir, i)
	}
	var project, runtime tally
	t.Run("setup", func(t *testing.T) {
		for _, c := range setups {
			all := c.faults(setups[0])
			t.Logf("%s: %d faults in all; SHA-256 %s", c.name, len(all), c.right)
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.t = t
				for _, f := range all {
					if part := f.part(c.name); part < from || part > to {
						continue
					}
					if outcome := c.try(f); f.kind.Runtime {
						runtime.add(outcome)
					} else {
						project.add(outcome)
					}
				}
			})
		}
	})
	t.Logf("parts %d to %d of %d: calls of the project and package os: %v; of the runtime: %v", from, to, faultParts, &project, &runtime)
	if project.reached < project.runs/2 {
		t.Errorf("only %d of %d runs made the call that was to fail: this shows little", project.reached, project.runs)
	}
}

// A tally counts what became of runs.
type tally struct {
	mu            sync.Mutex
	runs, reached int
	outcomes      map[string]int
}

func (y *tally) add(outcome string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.outcomes == nil {
		y.outcomes = map[string]int{}
	}
	y.runs++
	if !strings.HasPrefix(outcome, "not reached") {
		y.reached++
	}
	y.outcomes[outcome]++
}

func (y *tally) String() string {
	return fmt.Sprintf("%d runs, %d faults, %v", y.runs, y.reached, y.outcomes)
}
