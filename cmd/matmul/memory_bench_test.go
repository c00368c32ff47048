package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkRunMemory is the most memory that `matmul run` takes with two
// workers: the sum, over its processes, of the proportional set sizes, in which
// each shared page counts once. It is shown beside the panels and C, which lie
// in the segment.
func BenchmarkRunMemory(b *testing.B) {
	for _, n := range []string{"1024", "4096"} {
		b.Run(n, func(b *testing.B) { runMemory(b, n) })
	}
}

const mebi = 1 << 20

func runMemory(b *testing.B, n string) {
	dir := b.TempDir()
	for _, name := range []string{"A", "B"} {
		if err := command(dir, "gen", "-o", name+".npy", "--rows", n, "--cols", n).Run(); err != nil {
			b.Fatal(err)
		}
	}
	most, segment := int64(0), int64(0)
	for b.Loop() {
		m, s := memoryOfRun(b, dir)
		most, segment = max(most, m), s
	}
	b.ReportMetric(float64(most)/mebi, "MiB")
	b.ReportMetric(float64(segment)/mebi, "MiB-segment")
	b.ReportMetric(float64(most)/float64(segment), "x-segment")
}

// memoryOfRun returns the most memory that was seen, and what the segment took.
func memoryOfRun(b *testing.B, dir string) (most, segment int64) {
	cmd := command(dir, "run", "A.npy", "B.npy", "-o", "C.npy", "--force", "--workers", "2", "--json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				b.Fatalf("%v\n%s", err, stderr.String())
			}
			var r report
			if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
				b.Fatal(err)
			}
			return most, r.Bytes
		case <-time.After(10 * time.Millisecond):
			// Pages that pass from one process to another between two looks count twice
			// or not at all: the next look does not see the same ones.
			most = max(most, min(groupMemory(cmd.Process.Pid), groupMemory(cmd.Process.Pid)))
		}
	}
}

// groupMemory sums what the processes of a group take.
func groupMemory(group int) (sum int64) {
	for _, pid := range members(group) {
		sum += proportional(read(fmt.Sprintf("/proc/%d/smaps_rollup", pid)))
	}
	return sum
}

// proportional returns the bytes of the line "Pss:" of smaps_rollup(5).
func proportional(rollup string) int64 {
	_, rest, _ := strings.Cut(rollup, "\nPss:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseInt(kilobytes, 10, 64) // 0 of a process that has ended
	return n << 10
}
