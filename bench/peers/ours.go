package main

import (
	"context"
	"os"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
	"matmul/tune"
	"matmul/worker"
)

// What cmd/matmul starts a pool with, and measures the limit for.
const (
	spin      = 50 * time.Microsecond
	priority  = 5
	limitTime = 5 * time.Millisecond
)

// ours is matmul's engine: row-major operands in shared memory, workers that
// are running.
type ours[T elem.Float] struct {
	pool   *master.Pool
	kernel *gemm.Kernel
	job    *master.Job // the last one
}

// openMatmul starts the pool as `matmul bench` does.
func openMatmul[T elem.Float](s setup) (engine[T], error) {
	k, err := gemm.Lookup(s.ISA, s.Type)
	if err != nil {
		return nil, err
	}
	_, limits := tune.Host().Detect()
	pool, err := master.New(master.Config{
		Workers: s.Workers, Starter: worker.NewProcesses(), Kind: shmmat.Memfd,
		Pins: s.Pins, Spin: spin, Yield: s.Workers >= len(limits.Affinity),
	})
	if err != nil {
		return nil, err
	}
	e := &ours[T]{pool: pool, kernel: k}
	if err := e.reserve(s.Sizes); err != nil {
		pool.Close()
		return nil, err
	}
	return e, nil
}

// reserve makes memory that all sizes take turns in.
func (e *ours[T]) reserve(sizes []size) error {
	var plans []*master.Plan
	for _, s := range sizes {
		p, err := planFor(e.kernel, s, e.pool.Workers())
		if err != nil {
			return err
		}
		plans = append(plans, p)
	}
	ctx := context.Background()
	if err := e.pool.Reserve(ctx, plans...); err != nil {
		return err
	}
	var err error
	e.job, err = e.pool.Prepare(ctx, plans[0])
	return err
}

// planFor plans a product of row-major matrices in shared memory.
func planFor(k *gemm.Kernel, s size, workers int) (*master.Plan, error) {
	m := func(rows, cols int64) master.Operand {
		return master.Operand{Matrix: shmmat.Matrix{Rows: rows, Cols: cols, LD: cols, Type: k.Type}}
	}
	return master.NewPlan(master.Spec{Type: k.Type, Alpha: 1, Kernel: k, Priority: priority, A: m(s.M, s.K), B: m(s.K, s.N)}, workers)
}

func (e *ours[T]) operands() (o operands[T], err error) {
	for _, r := range []struct {
		region shmmat.Region
		dst    *[]T
	}{{shmmat.RowsA, &o.a}, {shmmat.RowsB, &o.b}, {shmmat.C, &o.c}} {
		if *r.dst, err = master.Elements[T](e.job, r.region); err != nil {
			return o, err
		}
	}
	return o, nil
}

// multiply goes the whole way from handing in the job: planning, packing,
// messages, multiplying.
func (e *ours[T]) multiply(s size) (packed time.Duration, err error) {
	plan, err := planFor(e.kernel, s, e.pool.Workers())
	if err != nil {
		return 0, err
	}
	ctx := context.Background()
	if e.job, err = e.pool.Prepare(ctx, plan); err != nil {
		return 0, err
	}
	report, err := e.job.Run(ctx)
	span := report.Span[tiling.Multiply]
	return span[1] - span[0], err
}

func (e *ours[T]) limit() (float64, error) {
	return e.pool.Peak(context.Background(), e.kernel, limitTime)
}

func (e *ours[T]) about() string { return "kernel " + e.kernel.String() }

// pids are the master's and its workers'; by now all have shown up.
func (e *ours[T]) pids() (all []int) {
	for _, p := range append(e.pool.Pids(), os.Getpid()) {
		if p > 0 {
			all = append(all, p)
		}
	}
	return all
}

func (e *ours[T]) close() { e.pool.Close() }
