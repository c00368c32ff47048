package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"matmul/internal/elem"
)

// TestTheIdleTimeOfATraceIsThatOfTheScoreboard compares what the workers
// themselves have counted with what the trace shows of them.
func TestTheIdleTimeOfATraceIsThatOfTheScoreboard(t *testing.T) {
	dir := operands(t, 700)
	for _, args := range [][]string{
		{"--workers", "1"}, {"--workers", "2"}, {"--workers", "3", "--tile", "64x96"}, {"--workers", "2", "--isa", "generic", "--tile", "350x700"},
	} {
		var report struct {
			Span float64   `json:"span"`
			Busy []float64 `json:"worker_busy"`
		}
		run := append([]string{"run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--trace", "t.json", "--json"}, args...)
		if err := json.Unmarshal([]byte(runCommand(t, dir, run...)), &report); err != nil {
			t.Fatal(err)
		}
		var shown traceReport
		if err := json.Unmarshal([]byte(runCommand(t, dir, "trace", "t.json", "--json")), &shown); err != nil {
			t.Fatal(err)
		}
		rows := map[string]traceRow{}
		for _, row := range shown.Rows {
			rows[row.Name] = row
		}
		for i, busy := range report.Busy {
			row, there := rows[fmt.Sprintf("worker %d", i)]
			if !there {
				t.Errorf("%v: worker %d is not in the trace", args, i)
			}
			if idle := 1 - busy/report.Span; !(math.Abs(row.Idle-idle) <= 0.01) || report.Span <= 0 {
				t.Errorf("%v: worker %d is idle for %.4f of the time by the trace, for %.4f by the scoreboard", args, i, row.Idle, idle)
			}
		}
		if len(report.Busy) == 0 || shown.Tasks == 0 {
			t.Errorf("%v: %d workers, %d tasks", args, len(report.Busy), shown.Tasks)
		}
	}
}

// TestTheTraceOfABatchShowsEveryJob has a product for the workers and small ones.
func TestTheTraceOfABatchShowsEveryJob(t *testing.T) {
	dir := operands(t, 900)
	matrix(t, dir, "s.npy", 100, 100, elem.Float64, 3)
	list := `{"id": "large", "a": "a.npy", "b": "b.npy", "out": "c.npy"}` + "\n"
	for i := range 5 {
		list += fmt.Sprintf(`{"id": "small %d", "a": "s.npy", "b": "s.npy", "out": "s%d.npy"}`+"\n", i, i)
	}
	write(t, filepath.Join(dir, "jobs.jsonl"), list)
	runCommand(t, dir, "batch", "jobs.jsonl", "--workers", "2", "--trace", "t.json")
	var shown traceReport
	decode(t, runCommand(t, dir, "trace", "t.json", "--json"), &shown)
	if text := read(filepath.Join(dir, "t.json")); !strings.Contains(text, `"job":"large"`) {
		t.Error("the job of the workers is not in the trace")
	} else {
		for i := range 5 {
			if want := fmt.Sprintf(`"job":"small %d"`, i); strings.Count(text, want) != 1 {
				t.Errorf("%s is there %d times", want, strings.Count(text, want))
			}
		}
	}
}

// TestTheTraceOfARunThatEndsEarlyIsComplete ends runs by a signal.
func TestTheTraceOfARunThatEndsEarlyIsComplete(t *testing.T) {
	dir := operands(t, 1500)
	ended := 0
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		os.Remove(filepath.Join(dir, "t.json"))
		r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--isa", "generic", "--workers", "2", "--trace", "t.json", "--tile", "64x1500")
		awaitWorkers(r, 2)
		syscall.Kill(r.pid(), sig)
		if r.wait() == exitDone {
			continue // it was faster
		}
		ended++
		if b := read(filepath.Join(dir, "t.json")); !json.Valid([]byte(b)) {
			t.Errorf("after %v the trace is no JSON: %q … %q", sig, b[:min(len(b), 100)], b[max(len(b)-100, 0):])
		}
	}
	if ended == 0 {
		t.Error("no run was ended: this shows nothing")
	}
}
