package main

import (
	"context"
	"os"
	"time"

	"gonum.org/v1/gonum/blas"

	"matmul"
	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tune"
	"matmul/worker"
)

// What cmd/matmul starts a pool with, and measures the limit for.
const (
	spin      = 50 * time.Microsecond
	priority  = 5
	limitTime = 5 * time.Millisecond
)

// goFlops is the most work that a Go program does without workers.
const goFlops = 1e7

// ours is matmul's engine: row-major operands in shared memory, workers that
// are running. With one worker, small products are called as from Go.
type ours[T elem.Float] struct {
	pool   *master.Pool
	kernel *gemm.Kernel
	lib    *matmul.Pool // nil unless there is one worker, with the best kernel
	ops    operands[T]
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
		Pins: s.Pins, Spin: spin, Yield: s.Workers >= len(limits.Affinity), Own: true,
	})
	if err != nil {
		return nil, err
	}
	e := &ours[T]{pool: pool, kernel: k}
	if err := e.reserve(s.Sizes); err != nil {
		pool.Close()
		return nil, err
	}
	if s.Workers == 1 && s.ISA == gemm.Supported()[len(gemm.Supported())-1] {
		if e.ops, err = e.operands(); err == nil {
			e.lib, err = matmul.New(context.Background(), matmul.WithWorkers(1))
		}
		if err != nil {
			pool.Close()
			return nil, err
		}
	}
	return e, nil
}

// reserve makes memory that all sizes take turns in.
func (e *ours[T]) reserve(sizes []size) error {
	plans, err := plansFor(e.kernel, sizes, e.pool.Workers())
	if err != nil {
		return err
	}
	if err := e.pool.Reserve(context.Background(), plans...); err != nil {
		return err
	}
	for i, r := range []shmmat.Region{shmmat.PanelsA, shmmat.PanelsB} {
		panels, err := master.Elements[T](e.pool, r)
		if err != nil {
			return err
		}
		fillRandom(panels, uint32(3+i))
	}
	return nil
}

// plansFor plans the products of each size, of operands as they are and packed.
func plansFor(k *gemm.Kernel, sizes []size, workers int) (plans []*master.Plan, err error) {
	for _, s := range sizes {
		for _, packed := range []bool{false, true} {
			p, err := master.NewPlan(specFor(k, s, packed), workers)
			if err != nil {
				return nil, err
			}
			plans = append(plans, p)
		}
	}
	return plans, nil
}

// specFor is a product of row-major matrices in shared memory, or of panels.
func specFor(k *gemm.Kernel, s size, packed bool) master.Spec {
	m := func(rows, cols int64) master.Operand {
		return master.Operand{Matrix: shmmat.Matrix{Rows: rows, Cols: cols, LD: cols, Type: k.Type}, Packed: packed}
	}
	return master.Spec{Type: k.Type, Alpha: 1, Kernel: k, Priority: priority, A: m(s.M, s.K), B: m(s.K, s.N)}
}

func (e *ours[T]) operands() (o operands[T], err error) {
	for _, r := range []struct {
		region shmmat.Region
		dst    *[]T
	}{{shmmat.RowsA, &o.a}, {shmmat.RowsB, &o.b}, {shmmat.C, &o.c}} {
		if *r.dst, err = master.Elements[T](e.pool, r.region); err != nil {
			return o, err
		}
	}
	return o, nil
}

// multiply goes the whole way from handing in the job: planning, packing,
// messages, multiplying.
func (e *ours[T]) multiply(s size) error {
	if e.lib != nil && 2*float64(s.M)*float64(s.N)*float64(s.K) <= goFlops {
		m, n, k := int(s.M), int(s.N), int(s.K)
		return matmul.Gemm(context.Background(), e.lib, blas.NoTrans, blas.NoTrans, m, n, k, 1, e.ops.a, k, e.ops.b, n, 0, e.ops.c, n)
	}
	_, err := e.pool.Do(context.Background(), specFor(e.kernel, s, false))
	return err
}

func (e *ours[T]) packed(s size) error {
	_, err := e.pool.Do(context.Background(), specFor(e.kernel, s, true))
	return err
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

func (e *ours[T]) close() {
	if e.lib != nil {
		e.lib.Close()
	}
	e.pool.Close()
}
