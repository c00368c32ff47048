package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"matmul/internal/journal"
	"matmul/internal/matfile"
	"matmul/internal/sys"
)

// A victim is a job that is killed and resumed, again and again, in a directory
// with a.npy and b.npy.
type victim struct {
	t      *testing.T
	dir    string
	inputs []string // names of what is there before
	sum    string   // of C
	memory []string // values of --memory, of which a run takes one
	length time.Duration
	kept   int // resumed runs that had rows to keep
}

// newVictim runs the job once without an end before its time.
func newVictim(t *testing.T, size int, memory ...string) *victim {
	t.Helper()
	v := &victim{t: t, dir: operands(t, size), memory: append(memory, "auto")[:max(len(memory), 1)]}
	v.inputs = list(v.dir)
	begin := time.Now()
	if code, said := v.run(rand.New(rand.NewPCG(0, 0)), nil); code != 0 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	v.length = time.Since(begin)
	v.sum = sum(t, v.path())
	v.clear()
	return v
}

// keptRows is what a resumed run says that has something to go on with.
var keptRows = regexp.MustCompile(`(?m)^matmul: c\.npy: [1-9][0-9]* of [0-9]+ rows are kept$`)

func (v *victim) path() string { return filepath.Join(v.dir, "c.npy") }

func (v *victim) clear() {
	for _, suffix := range []string{"", matfile.PartSuffix, journal.Suffix} {
		os.Remove(v.path() + suffix)
	}
}

// args returns a command that may do the job in any of its ways.
func (v *victim) args(r *rand.Rand, more ...string) []string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	args := []string{"run", "a.npy", "b.npy", "-o", "c.npy", "--checkpoint", "1ms", "--progress", "always",
		"--isa", pick("generic", "generic", "auto"), "--workers", pick("1", "2", "3"), "--tile", pick("16x200", "40x96", "24x400"),
		"--memory", pick(v.memory...), "--segment", pick("memfd", "memfd", "posix", "sysv", "file"), "--verify", pick("none", "freivalds", "exact")}
	return append(args, more...)
}

// run runs the job and lets harm do something to it meanwhile.
func (v *victim) run(r *rand.Rand, harm func(*running), more ...string) (code int, said string) {
	v.t.Helper()
	c := start(v.t, v.dir, v.args(r, more...)...)
	if harm != nil {
		harm(c)
	}
	code = c.wait()
	eventually(v.t, testPatience, func() string {
		if pids := members(c.pid()); len(pids) > 0 {
			return "processes are left:\n" + c.describe()
		}
		return ""
	})
	said = c.stderr.String()
	if keptRows.MatchString(said) {
		v.kept++
	}
	return code, said
}

// kill kills the command's master at a random moment of its expected life.
func (v *victim) kill(r *rand.Rand) func(*running) {
	moment := time.Duration(r.Int64N(int64(v.length)))
	return func(c *running) {
		select {
		case err := <-c.ended:
			c.ended <- err
		case <-time.After(moment):
			syscall.Kill(c.pid(), syscall.SIGKILL)
		}
	}
}

// mayRemain fails the test unless the directory holds nothing but the inputs
// and, perhaps, the names that belong to C.
func (v *victim) mayRemain(names ...string) {
	v.t.Helper()
	for _, name := range list(v.dir) {
		if !slices.Contains(v.inputs, name) && !slices.Contains(names, name) {
			v.t.Fatalf("%s is left", name)
		}
	}
}

// isDone fails the test unless C is there, right, and alone.
func (v *victim) isDone(about string) {
	v.t.Helper()
	if got := sum(v.t, v.path()); got != v.sum {
		v.t.Fatalf("%s: C has the SHA-256 %s, want %s", about, got, v.sum)
	}
	v.mayRemain("c.npy")
}

// resume goes on with the job, which must end well.
func (v *victim) resume(r *rand.Rand, about string) {
	v.t.Helper()
	code, said := v.run(r, nil, "--resume")
	if code != 0 && !wasComplete(code, said) {
		v.t.Fatalf("%s: resume: exit status %d: %s", about, code, said)
	}
	v.isDone(about)
}

// killed starts the job anew, kills it, and, with again, kills the resumed run,
// too. It returns false if a run was faster than that.
func (v *victim) killed(r *rand.Rand, again bool, about string) bool {
	v.t.Helper()
	v.clear()
	for _, how := range []string{"--force", "--resume"} {
		code, said := v.run(r, v.kill(r), how)
		v.mayRemain("c.npy", "c.npy.part", "c.npy.journal")
		if code != 128+int(syscall.SIGKILL) {
			if code != 0 && !wasComplete(code, said) {
				v.t.Fatalf("%s: exit status %d: %s", about, code, said)
			}
			v.isDone(about)
			return false
		}
		if !again {
			break
		}
	}
	return true
}

// wasComplete reports whether a run found that an earlier one had left C, and
// no journal.
func wasComplete(code int, said string) bool {
	return code == exitInput && strings.HasSuffix(said, "matmul: c.npy: exists; use --force to replace it\n")
}

// campaign kills masters at random moments and resumes, every fourth time with
// another kill of the resumed run. The stream tells the moments of one campaign
// from those of another.
func (v *victim) campaign(from, to, stream uint64) {
	v.t.Helper()
	again, faster := 0, 0
	for seed := from; seed <= to; seed++ {
		r := rand.New(rand.NewPCG(seed, stream))
		about := fmt.Sprintf("run %d", seed)
		twice := seed%4 == 0
		for !v.killed(r, twice, about) {
			faster++
		}
		if twice {
			again++
		}
		v.resume(r, about)
	}
	v.t.Logf("runs %d to %d: %d masters killed and resumed, %d of them killed again while they resumed (%d more runs were faster than the kill); %d resumed runs kept rows; 0 failures; SHA-256 of C %s each time",
		from, to, to-from+1, again, faster, v.kept, v.sum)
}

// TestAKilledMasterIsResumed kills the master at random moments, and every
// fourth time the resumed run, too.
func TestAKilledMasterIsResumed(t *testing.T) {
	from, to := runs(t, 8, 2000)
	v := newVictim(t, 400)
	v.campaign(from, to, 3)
}

// TestSignalsSaveAndCanBeResumed sends what users, systems and schedulers send, until a
// run has been stopped by it: one that ends before is resumed, too, and the next one gets
// its signal in half the time.
func TestSignalsSaveAndCanBeResumed(t *testing.T) {
	from, to := runs(t, 8, 400)
	if hangup := syscall.SIGHUP; signal.Ignored(hangup) { // by nohup: the command would ignore it, too
		signal.Notify(make(chan os.Signal, 1), hangup)
		t.Cleanup(func() { signal.Reset(hangup) })
	}
	v := newVictim(t, 400)
	faster := 0
	for seed := from; seed <= to; seed++ {
		r := rand.New(rand.NewPCG(seed, 4))
		sig := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGHUP}[seed%4]
		about, moment := fmt.Sprintf("run %d", seed), time.Duration(r.Int64N(int64(v.length)))
		for tries := 0; !v.stopped(r, sig, moment, about); tries++ {
			if tries == 50 {
				t.Fatalf("%s: %v came too late %d times", about, sig, tries)
			}
			faster++
			moment /= 2
		}
	}
	t.Logf("runs %d to %d: stopped (%d more runs were faster than the signal), %d resumed runs kept rows; SHA-256 of C %s each time", from, to, faster, v.kept, v.sum)
}

// stopped starts the job anew, sends it a signal a while after it has begun to write, and
// resumes it. It returns false if the run was faster than that.
func (v *victim) stopped(r *rand.Rand, sig syscall.Signal, moment time.Duration, about string) bool {
	v.t.Helper()
	code, said := v.run(r, func(c *running) {
		awaitPart(c, v.path())
		pid := c.pid()
		if r.IntN(2) == 0 {
			pid = -pid
		}
		select {
		case err := <-c.ended:
			c.ended <- err
		case <-time.After(moment):
			syscall.Kill(pid, sig)
		}
	})
	lines := strings.Split(strings.TrimSpace(said), "\n")
	last := lines[len(lines)-1]
	switch code {
	case exitResume:
		kept := strings.HasSuffix(last, " of 400 rows are kept, go on with --resume")
		if !strings.HasPrefix(last, "matmul: c.npy: stopped (ended by signal: ") || kept != (len(list(v.dir)) == len(v.inputs)+2) {
			v.t.Fatalf("%s: %q, and there are %q", about, said, list(v.dir))
		}
		v.mayRemain("c.npy.part", "c.npy.journal")
	case 0:
	default:
		v.t.Fatalf("%s: exit status %d: %s", about, code, said)
	}
	v.resume(r, about)
	v.clear()
	return code == exitResume
}

// awaitPart waits until the command has made its part file, and handles
// signals, or has ended.
func awaitPart(c *running, path string) {
	c.t.Helper()
	eventually(c.t, testPatience, func() string {
		if !exists(path+matfile.PartSuffix) && len(c.ended) == 0 {
			return "the part file is not there:\n"
		}
		return ""
	})
}

// TestAResumeWaitsForTheOldWriters has the lock of the part file, as a worker
// has it whose master is gone.
func TestAResumeWaitsForTheOldWriters(t *testing.T) {
	v := newVictim(t, 400)
	r := rand.New(rand.NewPCG(1, 5))
	code, said := v.run(r, func(c *running) {
		awaitPart(c, v.path())
		syscall.Kill(c.pid(), syscall.SIGKILL)
	})
	if code != 128+int(syscall.SIGKILL) {
		t.Fatalf("exit status %d: %s", code, said)
	}
	part, err := os.OpenFile(v.path()+matfile.PartSuffix, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	eventually(t, testPatience, func() string {
		if err := sys.TryLock(part); err != nil {
			return err.Error()
		}
		return ""
	})
	c := start(t, v.dir, v.args(r, "--resume")...)
	eventually(t, testPatience, func() string {
		if !hasOpen(c.pid(), part.Name()) {
			return "the part file was not opened"
		}
		return ""
	})
	if len(children(c.pid())) > 0 || len(c.ended) > 0 {
		t.Error("the resumed run did not wait")
	}
	part.Close()
	if code := c.wait(); code != 0 {
		t.Errorf("exit status %d: %s", code, c.stderr.String())
	}
	v.isDone("after the old writer")
}

// hasOpen reports whether a process has a file open.
func hasOpen(pid int, path string) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if to, _ := os.Readlink(link); to == path {
			return true
		}
	}
	return false
}
