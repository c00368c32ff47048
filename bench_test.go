//go:build linux

package matmul_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"matmul"
	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tune"
	"matmul/worker"
)

func TestMain(m *testing.M) {
	programIfTold()
	matmul.Main()
	sleepIfTold()
	os.Exit(m.Run())
}

// processes starts the workers of all benchmarks.
var processes = worker.NewProcesses()

// pool starts as many pinned worker processes as the command would.
func pool(b *testing.B) *master.Pool {
	machine, limits := tune.Host().Detect()
	return poolOf(b, limits.Workers(machine).N)
}

// poolOf is pool with n workers.
func poolOf(b *testing.B, n int) *master.Pool {
	machine, limits := tune.Host().Detect()
	p, err := master.New(master.Config{
		Workers: n, Starter: processes, Kind: shmmat.Memfd, Pins: limits.Pins(machine, n),
		Spin: 50 * time.Microsecond, Yield: n >= len(limits.Affinity), Own: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}

// shape is a product C = A·B of row-major matrices in shared memory.
type shape struct{ m, n, k int64 }

func (s shape) String() string {
	if s.m == s.n && s.n == s.k {
		return fmt.Sprint(s.n)
	}
	return fmt.Sprintf("%dx%dx%d", s.m, s.n, s.k)
}

func (s shape) plan(b *testing.B, isa gemm.ISA, t elem.Type, workers int) *master.Plan {
	k, err := gemm.Lookup(isa, t)
	if err != nil {
		b.Fatal(err)
	}
	op := func(rows, cols int64) master.Operand {
		return master.Operand{Matrix: shmmat.Matrix{Rows: rows, Cols: cols, LD: cols, Type: t}}
	}
	p, err := master.NewPlan(master.Spec{Type: t, Alpha: 1, Kernel: k, A: op(s.m, s.k), B: op(s.k, s.n)}, workers)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkGemm is the way from row-major matrices in shared memory to a
// row-major result: packing, messages and multiplying. It reports GFLOP/s and
// the share of the FMA limit, which is measured after it.
func BenchmarkGemm(b *testing.B) {
	p := pool(b)
	for _, t := range []elem.Type{elem.Float64, elem.Float32} {
		for _, isa := range gemm.Supported() {
			if isa == gemm.Generic {
				continue // internal/gemm measures it; it would take minutes here
			}
			for _, s := range []shape{{256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048}, {4096, 4096, 64}, {64, 64, 65536}} {
				b.Run(fmt.Sprintf("%s/%s/%s", t, isa, s), func(b *testing.B) { benchmark(b, p, s.plan(b, isa, t, p.Workers())) })
			}
		}
	}
}

func benchmark(b *testing.B, p *master.Pool, plan *master.Plan) {
	ctx := context.Background()
	job, err := p.Prepare(ctx, plan)
	if err != nil {
		b.Fatal(err)
	}
	defer job.Close()
	run := func() {
		if _, err := job.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
	run() // touches the memory
	for b.Loop() {
		run()
	}
	rate := plan.Flops() * float64(b.N) / b.Elapsed().Seconds()
	peak, err := p.Peak(ctx, plan.Kernel, 5*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%limit")
}

// BenchmarkTasks is the cost of a task that computes next to nothing: tiles of
// one block with k = 1.
func BenchmarkTasks(b *testing.B) {
	p := pool(b)
	k, err := gemm.Lookup(gemm.Auto, elem.Float64)
	if err != nil {
		b.Fatal(err)
	}
	const tiles = 64
	m := shmmat.Matrix{Rows: int64(k.MR) * tiles, Cols: 1, LD: 1, Type: elem.Float64}
	bm := shmmat.Matrix{Rows: 1, Cols: int64(k.NR) * tiles, LD: int64(k.NR) * tiles, Type: elem.Float64}
	plan, err := master.NewPlan(master.Spec{Type: elem.Float64, Alpha: 1, Kernel: k,
		A: master.Operand{Matrix: m}, B: master.Operand{Matrix: bm}, TileM: int64(k.MR), TileN: int64(k.NR)}, p.Workers())
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	job, err := p.Prepare(ctx, plan)
	if err != nil {
		b.Fatal(err)
	}
	defer job.Close()
	for b.Loop() {
		if _, err := job.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(plan.Tasks())*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
