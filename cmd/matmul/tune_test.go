package main

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"matmul/tune"
)

// TestASearchThatIsInterruptedKeepsWhatItFound ends searches as Ctrl-C does.
func TestASearchThatIsInterruptedKeepsWhatItFound(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, "tune", "--isa", "generic", "--sizes", "256,384", "--budget", "60s", "--workers", "1", "--profile", "store")
	awaitWorkers(r, 1)
	time.Sleep(time.Second) // what is found by then does not matter
	syscall.Kill(-r.pid(), syscall.SIGINT)
	if code := r.wait(); code != 130 || !strings.Contains(r.stderr.String(), "matmul: ended by signal: interrupt\n") {
		t.Errorf("exit status %d: %s", code, r.stderr.String())
	}
	r.left(time.Second, "store")
	all, err := tune.Store{Dir: filepath.Join(dir, "store")}.All()
	if err != nil || len(all) != 1 || all[0].Err != nil {
		t.Fatalf("the store holds %+v, %v", all, err)
	}
	runCommand(t, dir, "tune", "--sizes", "64", "--budget", "100ms", "--workers", "1", "--profile", "store")
}

// sweepLines returns the points of a sweep's file, without a last line that is
// not complete.
func sweepLines(t *testing.T, path string) (points [][2]int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	whole := string(data[:strings.LastIndex(string(data), "\n")+1])
	for sc, first := bufio.NewScanner(strings.NewReader(whole)), true; sc.Scan(); first = false {
		var r tune.Record
		if first {
			continue
		}
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		points = append(points, [2]int{r.Point, r.Size})
	}
	return points
}

// TestASweepThatIsKilledRepeatsNoPoint kills a sweep again and again, at random
// moments, until it is finished.
func TestASweepThatIsKilledRepeatsNoPoint(t *testing.T) {
	dir, kills := t.TempDir(), 0
	path := filepath.Join(dir, "s.jsonl")
	args := []string{"tune", "--sweep", "kc=8:400:8,tile=32|64", "--isa", "generic", "--sizes", "128,192", "--reps", "3", "--workers", "2", "-o", "s.jsonl", "--progress", "never"}
	for finished := false; !finished; {
		before := sweepLines(t, path)
		r := start(t, dir, args...)
		awaitWorkers(r, 1)
		// As tests get older they wait longer, so that there is an end.
		moment(time.Duration(300+20*kills) * time.Millisecond)
		syscall.Kill(r.pid(), syscall.SIGKILL)
		if finished = r.wait() == 0; !finished {
			kills++
		}
		r.left(time.Second, "s.jsonl")
		after := sweepLines(t, path)
		if !slices.Equal(after[:len(before)], before) {
			t.Fatal("finished points have changed")
		}
	}
	points := sweepLines(t, path)
	slices.SortFunc(points, func(a, b [2]int) int { return 1000*(a[1]-b[1]) + a[0] - b[0] })
	if n := len(slices.Compact(points)); n != 200 || len(points) != 200 {
		t.Errorf("%d lines, %d points, want 200", len(points), n)
	}
	t.Logf("killed %d times", kills)
	if kills < 3 {
		t.Errorf("killed only %d times: this shows little", kills)
	}
}

// TestTwoTunersAtOnceLeaveOneWholeProfile has tuners write one profile at the
// same time; tune's own tests do it a hundred times, with kills.
func TestTwoTunersAtOnceLeaveOneWholeProfile(t *testing.T) {
	trials := 3
	if campaign {
		trials = 100
	}
	dir := t.TempDir()
	for range trials {
		var both []*running
		for range 2 {
			both = append(both, start(t, dir, "tune", "--sizes", "32", "--budget", time.Duration(rand.N(50*time.Millisecond)+1).String(), "--workers", "1", "--profile", "store"))
		}
		for _, r := range both {
			if code := r.wait(); code != 0 {
				t.Fatalf("exit status %d: %s", code, r.stderr.String())
			}
		}
		all, err := tune.Store{Dir: filepath.Join(dir, "store")}.All()
		if err != nil || len(all) != 1 || all[0].Err != nil {
			t.Fatalf("the store holds %+v, %v", all, err)
		}
	}
}
