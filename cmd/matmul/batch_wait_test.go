package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"matmul/internal/elem"
)

// TestAnArrivingJobWaitsNoLongerThanThePlanSays has jobs of priority 9 arrive
// while jobs of priority 1 keep all workers busy, and compares how long their
// first tasks waited with what --plan has said. What the plan has measured does
// not hold for a machine that is stopped meanwhile, so a trial that fails is
// repeated; one that fails each time is wrong.
func TestAnArrivingJobWaitsNoLongerThanThePlanSays(t *testing.T) {
	from, to := runs(t, 4, 200)
	dir := t.TempDir()
	for _, n := range []int64{100, 900} {
		matrix(t, dir, fmt.Sprintf("%d.npy", n), n, n, elem.Float64, uint64(n))
	}
	var longest, bound float64
	var bounds []float64
	repeated := 0
	for seed := from; seed <= to; seed++ {
		wait, limit := 0.0, 0.0
		for try := range 3 {
			if wait, limit = arrive(t, dir, rand.New(rand.NewPCG(seed, uint64(try)))); wait <= limit {
				break
			}
			repeated++
			t.Logf("trial %d: the first task waited for %.3f s, and the plan says %.3f s at most; it is repeated", seed, wait, limit)
		}
		if wait > limit {
			t.Fatalf("trial %d: the first task waited for %.3f s, and the plan says %.3f s at most", seed, wait, limit)
		}
		bounds = append(bounds, limit)
		if longest < wait {
			longest, bound = wait, limit
		}
	}
	slices.Sort(bounds)
	t.Logf("trials %d to %d: the longest wait was %.3f s, where the plan says %.3f s at most; its bounds were %.3f to %.3f s, %.3f s in the median; %d trials were repeated",
		from, to, longest, bound, bounds[0], bounds[len(bounds)-1], bounds[len(bounds)/2], repeated)
	if campaign && repeated > 0 {
		t.Errorf("%d trials were repeated", repeated)
	}
}

// arrive is one trial: it returns how long the first task of the job waited, and
// how long it might have.
func arrive(t *testing.T, dir string, r *rand.Rand) (wait, limit float64) {
	t.Helper()
	const jobs = 12
	var load strings.Builder
	for i := range jobs {
		n := []int{900, 900, 900, 100}[r.IntN(4)]
		fmt.Fprintf(&load, `{"id": "load%d", "priority": 1, "a": "%d.npy", "b": "%d.npy", "out": "c%d.npy"}`+"\n", i, n, n, i)
	}
	write(t, filepath.Join(dir, "load.jsonl"), load.String())
	var plan batchPlan
	decode(t, runCommand(t, dir, "batch", "load.jsonl", "--plan", "--json", "--force", "--workers", "2"), &plan)

	log := filepath.Join(dir, "log")
	cmd := command(dir, "batch", "-", "--json", "--force", "--workers", "2", "--joblog", "log")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := startWith(t, cmd, (*exec.Cmd).Start)
	say := func(line string) {
		if _, err := io.WriteString(in, line); err != nil {
			t.Fatalf("%v: %s", err, c.stderr.String())
		}
	}
	say(load.String())
	for begin := time.Now(); strings.Count(read(log), "\n") < 2; time.Sleep(time.Millisecond) {
		if len(c.ended) > 0 || time.Since(begin) > testPatience {
			t.Fatalf("no job is done: %s", c.describe())
		}
	}
	time.Sleep(time.Duration(r.Int64N(int64(20 * time.Millisecond)))) // at whatever place of a task
	n := []int{900, 100}[r.IntN(2)]
	say(fmt.Sprintf(`{"id": "urgent", "priority": 9, "a": "%d.npy", "b": "%d.npy", "out": "u.npy"}`+"\n", n, n))
	in.Close()
	if code := c.wait(); code != 0 {
		t.Fatalf("exit status %d: %s", code, c.stderr.String())
	}
	var report batchReport
	decode(t, c.stdout.String(), &report)
	urgent := report.Jobs[jobs]
	if urgent.ID != "urgent" || urgent.State != "done" {
		t.Fatalf("the job that arrived is %+v", urgent)
	}
	return urgent.Queue, plan.Arriving[9].Wait
}

func decode(t *testing.T, text string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), to); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}
