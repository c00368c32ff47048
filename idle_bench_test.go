//go:build linux

package matmul_test

import (
	"testing"
	"time"

	"matmul/internal/sys"
	"matmul/master"
)

// BenchmarkIdle is what a pool without work takes of a processor, all of its
// processes together, the master's (this one) too: an iteration is a second of
// idling, so that -benchtime 10x is ten. It begins 10 ms after the last task.
func BenchmarkIdle(b *testing.B) {
	p := pool(b)
	nops(b, p, 10000, 2, nil)
	time.Sleep(10 * time.Millisecond)
	before := processorTime(b, p)
	start := time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	idle := time.Since(start)
	took := processorTime(b, p) - before
	b.ReportMetric(100*took.Seconds()/idle.Seconds(), "%processor")
	b.ReportMetric(0, "ns/op") // says nothing here
}

// processorTime is what the processes of a pool have had.
func processorTime(b *testing.B, p *master.Pool) (sum time.Duration) {
	for _, pid := range append(p.Pids(), 0) {
		t, err := sys.ProcessorTime(pid)
		if err != nil {
			b.Fatal(err)
		}
		sum += t
	}
	return sum
}
