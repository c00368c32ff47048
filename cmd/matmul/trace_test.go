package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
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
