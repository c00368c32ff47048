//go:build linux

package matmul_test

import (
	"context"
	"testing"
	"time"

	"matmul/internal/sys"
	"matmul/master"
	"matmul/shmmat"
)

// pair starts a pool with one worker, and leaves the other processor, if there
// is one, to the master: the benchmark's goroutine.
func pair(b *testing.B) (p *master.Pool, workers int) {
	cpus, err := sys.Affinity(0)
	if err != nil {
		b.Fatal(err)
	}
	workers = cpus[len(cpus)-1]
	p, err = master.New(master.Config{
		Workers: 1, Starter: processes, Kind: shmmat.Memfd, Pins: []int{workers},
		Spin: 50 * time.Microsecond, Yield: len(cpus) == 1,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	leaveTo(b, cpus[0])
	nops(b, p, 100, 1, nil) // until the worker is there
	return p, workers
}

func nops(b *testing.B, p *master.Pool, n, ahead int, took func(time.Duration)) {
	if err := p.Nops(context.Background(), n, ahead, took); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHandOver is how long a task is on its way from the master to a
// worker on another processor, which looks for it, or sleeps: then beside it,
// in turns, the bare futex wake of a process on that processor.
func BenchmarkHandOver(b *testing.B) {
	b.Run("spinning", handOverToSpinning)
	b.Run("sleeping", handOverToSleeping)
}

func handOverToSpinning(b *testing.B) {
	p, _ := pair(b)
	took := make([]float64, 0, b.N)
	b.ResetTimer()
	nops(b, p, b.N, 1, func(d time.Duration) { took = append(took, float64(d)) })
	b.ReportMetric(middle(took), "ns/hand-over")
}

// rest is how long the master leaves the sleeping alone: several times as long
// as a worker looks for a task.
const rest = 300 * time.Microsecond

func handOverToSleeping(b *testing.B) {
	p, cpu := pair(b)
	s := newSleeper(b, cpu)
	s.wake() // it is there
	var tasks, wakes []float64
	for b.Loop() {
		spinFor(rest)
		nops(b, p, 1, 1, func(d time.Duration) { tasks = append(tasks, float64(d)) })
		spinFor(rest)
		wakes = append(wakes, float64(s.wake()))
	}
	b.ReportMetric(middle(tasks), "ns/hand-over")
	b.ReportMetric(middle(wakes), "ns/bare-wake")
	b.ReportMetric(middle(tasks)/middle(wakes), "x-bare-wake")
}

// spinFor keeps the processor busy: one that sleeps, too, would take its time
// to wake.
func spinFor(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// BenchmarkTasksEmpty is the rate at which one worker on a processor of its own
// takes and answers tasks that do nothing, with its mailbox full.
func BenchmarkTasksEmpty(b *testing.B) {
	p, _ := pair(b)
	b.ResetTimer()
	nops(b, p, b.N, shmmat.Depth, nil)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
