package main

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"matmul/internal/sys"
	"matmul/internal/sys/inject"
)

// errnos are what calls fail with.
var errnos = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.ENOMEM, syscall.EINTR, syscall.EAGAIN, syscall.EMFILE, syscall.EPERM, syscall.ENOSYS}

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

// faults lists the calls that are to fail, each with every error. Calls of the
// project and package os that the first setup makes, too, from the start on, are
// left to that.
func (c *callTest) faults(first *callTest) (all []fault) {
	common := map[inject.Kind]int{}
	if c != first {
		common = commonStart(c.calls, first.calls)
	}
	for kind, count := range c.counts {
		for n := common[kind] + 1; n <= count; n++ {
			for _, errno := range errnos {
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
	said := withoutProgress(r.stderr.String())
	switch {
	case code == 0 && !f.kind.Runtime && !allWarnings(said):
		complain("standard error says more than warnings")
	case code != 0 && !f.kind.Runtime && !c.isNamed(code, said):
		complain("standard error is not what it should be, or the status is not documented")
	}
	c.checkOutputs(code, f.kind.Runtime, said, complain)
	if hit.From == "nobody" && code != 0 {
		complain("failed without a fault")
	}
	if f.kind.Runtime && code != 0 {
		c.removeRemains(r.pid())
	}
	r.before.files = c.inputs
	r.left(testPatience, c.mayRemain(code)...)
	if c.again != "" && code != 0 {
		c.resume(complain)
	}
	if code == 0 {
		return outcome + "right"
	}
	line, _, _ := strings.Cut(said, "\n")
	c.t.Logf("%s: %s with %v: exit status %d: %s", c.name, inject.Call{Kind: f.kind, N: f.n}, f.errno, code, line)
	return fmt.Sprintf("%sexit status %d", outcome, code)
}

// checkOutputs compares what is there with what is right, or was there before.
func (c *callTest) checkOutputs(code int, runtime bool, said string, complain func(string, ...any)) {
	c.t.Helper()
	if code == 0 && slices.Contains(c.args, "--trace") && !exists(filepath.Join(c.dir, "trace.json")) {
		complain("there is no trace")
	}
	for name, right := range c.right {
		got, old := c.sum(name), ""
		if name == "c.npy" {
			old = c.old
		}
		switch {
		case code == 0 && got != right:
			complain("%s has the SHA-256 %q, want %q", name, got, right)
		case code == 0 || got == old || got == right && (runtime || c.isBatch() || strings.Contains(said, "is complete")):
		default:
			complain("%s has the SHA-256 %q, want %q", name, got, old)
		}
	}
}

// mayRemain returns which names may be there after a command that ended with a
// status: its outputs, which were checked, what it saved, its trace and its log.
func (c *callTest) mayRemain(code int) (names []string) {
	for _, name := range outputs {
		_, output := c.right[name]
		if exists(filepath.Join(c.dir, name)) && (output || c.again != "" && code != 0 || name == "jobs.log" || name == "trace.json") {
			names = append(names, name)
		}
	}
	return names
}

// resume goes on with what a command has left that failed, and complains if that
// is not to be had.
func (c *callTest) resume(complain func(string, ...any)) {
	c.t.Helper()
	r := start(c.t, c.dir, append(c.args, c.again)...)
	code, said := r.wait(), r.stderr.String()
	if code != 0 && !wasComplete(code, said) {
		complain("and its resume has the exit status %d: %s", code, said)
	}
	c.checkOutputs(0, false, said, complain)
	r.before.files = c.inputs
	r.left(testPatience, c.mayRemain(0)...)
}

// A run that was suspended tells of its progress when it goes on.
var progressLine = regexp.MustCompile(`(?m)^[a-zA-Z][^:\n]*: \d+ % after .*\n`)

func withoutProgress(said string) string { return progressLine.ReplaceAllString(said, "") }

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

// isNamed reports whether a command ended with one line, a batch with one at
// least, and the status of a failure that is not the result's.
func (c *callTest) isNamed(code int, said string) bool {
	statuses := []int{exitFailed, exitInput, exitResource, exitWorkers}
	if c.isBatch() {
		lines := strings.SplitAfter(said, "\n")
		others := slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "matmul: ") })
		return slices.Contains(statuses, code) && said != "" && slices.Equal(others, []string{""})
	}
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
	from, to := runs(t, 1, faultParts)
	dir := callInputs(t)
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
	setups := make([]*callTest, len(callSetups))
	for i := range setups {
		setups[i] = newCallTest(t, dir, i)
	}
	var project, runtime tally
	t.Run("setup", func(t *testing.T) {
		for _, c := range setups {
			all := c.faults(setups[0])
			t.Logf("%s: %d faults in all; SHA-256 %s", c.name, len(all), c.right["c.npy"])
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.t = t
				for _, f := range all {
					if part := f.part(c.name); part < from || part > to {
						continue
					}
					if raceDetector && f.kind.Runtime {
						continue // the race detector's own, which it may end with status 0
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
