package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// checkpointSteps are the hooks on the way of a checkpoint, and of the end of a job that
// has any, in the order in which they are passed.
var checkpointSteps = []string{
	"checkpoint.data", "checkpoint.synced", "checkpoint.append", "checkpoint.appended", "checkpoint.recorded",
	"commit.synced", "commit.named", "commit.replaced", "journal.remove", "journal.removed",
}

// buildWithFailpoints builds the command with its hooks and makes it the one
// that tests run.
func buildWithFailpoints(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-tags", "failpoint", "-o", filepath.Join(dir, "matmul"), ".")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestADeathAtEveryStepOfACheckpointIsSurvived kills the master at the first,
// the middle and the last time that it passes each step, in a first run and in
// a resumed one, and lets each step fail. The job replaces an old output, which
// stays until the new one is complete.
func TestADeathAtEveryStepOfACheckpointIsSurvived(t *testing.T) {
	buildWithFailpoints(t)
	v := newVictim(t, 400)
	hits := filepath.Join(t.TempDir(), "hits")
	t.Setenv("MATMUL_FAILPOINT_HITS", hits)
	places, actions := []string{"first", "middle", "last"}, []string{"kill", "error"}
	if !campaign {
		places = places[:1]
	}
	if testing.Short() {
		actions = actions[:1]
	}
	done := 0
	for i, step := range checkpointSteps {
		for j, place := range places {
			for k, action := range actions {
				for l, resumed := range []bool{false, true} {
					d := &death{victim: v, hits: hits, step: step, place: place, action: action, resumed: resumed}
					d.r = rand.New(rand.NewPCG(uint64(((i*3+j)*2+k)*2+l), 6))
					d.untilItHappens()
					done++
				}
			}
		}
	}
	t.Logf("%d steps, %d ends of the master at them: all resumed; 0 failures; SHA-256 of C %s each time", len(checkpointSteps), done, v.sum)
}

// A death is one end of the job at one step.
type death struct {
	*victim
	r                         *rand.Rand
	hits, step, place, action string
	resumed                   bool // it is in a run that resumes
}

func (d *death) String() string {
	return fmt.Sprintf("%s at the %s %s (resumed: %v)", d.action, d.place, d.step, d.resumed)
}

// untilItHappens repeats the job, whose checkpoints come as time goes by, until
// it has passed the step as often as it is meant to.
func (d *death) untilItHappens() {
	d.t.Helper()
	const enough = 50
	for range enough {
		n := d.count()
		nth := map[string]int64{"first": 1, "middle": (n + 1) / 2, "last": n}[d.place]
		if n > 0 && d.happens(nth) {
			return
		}
	}
	d.t.Fatalf("%v did not happen in %d runs", d, enough)
}

// prepare leaves an old output and, for a run that resumes, something to go on
// with.
func (d *death) prepare() {
	d.t.Helper()
	d.clear()
	if err := os.WriteFile(d.path(), []byte("old"), 0o666); err != nil {
		d.t.Fatal(err)
	}
	if d.resumed {
		d.arm("checkpoint.recorded", 1, "kill")
		if code, said := d.run(d.r, nil, "--force", "--resume"); code != 128+int(syscall.SIGKILL) {
			d.t.Fatalf("%v: exit status %d: %s", d, code, said)
		}
	}
}

// arm arms a hook and forgets its hits.
func (d *death) arm(step string, nth int64, action string) {
	d.t.Helper()
	if err := os.WriteFile(d.hits, nil, 0o666); err != nil {
		d.t.Fatal(err)
	}
	d.t.Setenv("MATMUL_FAILPOINT", fmt.Sprintf("%s:%d:%s", step, nth, action))
}

// count returns how often an undisturbed run passes the step.
func (d *death) count() int64 {
	d.t.Helper()
	d.prepare()
	d.arm(d.step, 0, d.action)
	if code, said := d.run(d.r, nil, "--force", "--resume"); code != 0 {
		d.t.Fatalf("%v: exit status %d: %s", d, code, said)
	}
	st, err := os.Stat(d.hits)
	if err != nil {
		d.t.Fatal(err)
	}
	return st.Size()
}

// happens runs the job with the hook armed and, if it has ended at it, checks
// what is left and resumes it.
func (d *death) happens(nth int64) bool {
	d.t.Helper()
	d.prepare()
	d.arm(d.step, nth, d.action)
	code, said := d.run(d.r, nil, "--force", "--resume")
	d.mayRemain("c.npy", "c.npy.part", "c.npy.journal")
	want := map[string]int{"kill": 128 + int(syscall.SIGKILL), "error": exitFailed}[d.action]
	if code == 0 {
		return false
	}
	if code != want || d.action == "error" && !strings.Contains(said, "injected failure") {
		d.t.Fatalf("%v: exit status %d: %s", d, code, said)
	}
	if got := sum(d.t, d.path()); got != d.sum && read(d.path()) != "old" {
		d.t.Fatalf("%v: the output is neither the old one nor the new one", d)
	}
	d.arm(d.step, 0, d.action)
	if code, said := d.run(d.r, nil, "--force", "--resume"); code != 0 {
		d.t.Fatalf("%v: resume: exit status %d: %s", d, code, said)
	}
	d.isDone(d.String())
	return true
}
