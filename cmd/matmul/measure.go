package main

import (
	"context"
	"os"
	"slices"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/tiling"
	"matmul/tune"
)

// A lab measures products as a search asks for them, in memory, with workers
// that are running. Choices that want another pool get one; those used last are
// kept, as many as memory allows.
type lab struct {
	crew    *crew
	t       elem.Type
	kernels []*gemm.Kernel
	sizes   []tiling.Problem
	pools   []*bench // the one used last comes first
	most    int
}

// A bench is one pool with operands that are filled.
type bench struct {
	huge bool
	spin time.Duration
	pool *master.Pool
}

// mostPools is how many pools are alive at most: idle ones sleep.
const mostPools = 4

// perTile is what a worker takes on top where a candidate's blocks or tile are
// larger than the usual ones.
const perTile = 40 << 20

// newLab checks that the largest product can be had.
func newLab(c *crew, t elem.Type, sizes []tiling.Problem) (*lab, error) {
	l := &lab{crew: c, t: t, sizes: sizes}
	usual, err := c.untuned(t)
	if err != nil {
		return nil, err
	}
	l.kernels = kernelsFor(c.isa, usual.kernel)
	need := int64(1)
	for _, p := range sizes {
		s := l.series(p, usual)
		if err := s.settle(); err != nil {
			return nil, err
		}
		n := newNeeds(c, s.plan, os.TempDir())
		n.extra, n.extraFor = int64(c.workers)*perTile, "packing and sums of what is tried"
		if err := n.afford(c.limits); err != nil {
			return nil, err
		}
		total, _ := n.memory()
		need = max(need, total)
	}
	l.most = int(min(max(c.limits.Memory().Bytes/need, 1), mostPools))
	return l, nil
}

// kernelsFor returns the kernels that are tried for an instruction set: for
// "auto" those with vectors, the usual one first.
func kernelsFor(isa gemm.ISA, usual *gemm.Kernel) []*gemm.Kernel {
	kernels := []*gemm.Kernel{usual}
	for _, other := range gemm.Supported() {
		if isa == gemm.Auto && other != gemm.Generic && other != usual.ISA {
			if k, err := gemm.Lookup(other, usual.Type); err == nil {
				kernels = append(kernels, k)
			}
		}
	}
	return kernels
}

func (l *lab) series(p tiling.Problem, u tuned) *series {
	return &series{m: p.M, n: p.N, k: p.K, crew: l.crew, tuned: u, t: l.t}
}

// measure does one product and returns its time in seconds: a tune.Measure.
func (l *lab) measure(ctx context.Context, p tiling.Problem, c tune.Choice) (float64, error) {
	u, err := l.tuned(c)
	if err != nil {
		return 0, err
	}
	b, err := l.bench(ctx, c)
	if err != nil {
		return 0, err
	}
	s := l.series(p, u)
	if err := s.settle(); err != nil {
		return 0, err
	}
	return s.once(ctx, b.pool, false)
}

// tuned returns the kernel of a choice. The choice counts as it is.
func (l *lab) tuned(c tune.Choice) (tuned, error) {
	i := slices.IndexFunc(l.kernels, func(k *gemm.Kernel) bool { return k.ISA.String() == c.ISA })
	if i < 0 {
		isa, err := gemm.ParseISA(c.ISA)
		if err != nil {
			return tuned{}, err
		}
		k, err := gemm.Lookup(isa, l.t)
		if err != nil {
			return tuned{}, err
		}
		l.kernels = append(l.kernels, k)
		i = len(l.kernels) - 1
	}
	return tuned{kernel: l.kernels[i], choice: c}, c.Check(l.kernels[i])
}

// bench returns a pool as the choice wants it.
func (l *lab) bench(ctx context.Context, c tune.Choice) (*bench, error) {
	i := slices.IndexFunc(l.pools, func(b *bench) bool { return b.huge == c.HugePages && b.spin == c.Spin })
	if i < 0 {
		return l.newBench(ctx, c)
	}
	b := l.pools[i]
	l.pools = slices.Insert(slices.Delete(l.pools, i, i+1), 0, b)
	return b, nil
}

// newBench starts a pool, in the place of the one that was not used for longest
// if there are many, with operands that are filled.
func (l *lab) newBench(ctx context.Context, c tune.Choice) (*bench, error) {
	if len(l.pools) == l.most {
		l.pools[l.most-1].pool.Close()
		l.pools = l.pools[:l.most-1]
	}
	pool, err := l.crew.open(os.TempDir(), c)
	if err != nil {
		return nil, err
	}
	l.pools = slices.Insert(l.pools, 0, &bench{c.HugePages, c.Spin, pool})
	usual, err := l.crew.untuned(l.t)
	if err != nil {
		return nil, err
	}
	var plans []*master.Plan
	for _, p := range l.sizes {
		s := l.series(p, usual)
		if err := s.settle(); err != nil {
			return nil, err
		}
		plans = append(plans, s.plan)
	}
	if err := pool.Reserve(ctx, plans...); err != nil {
		return nil, err
	}
	// All products share the regions of A and B, from their first element on.
	return l.pools[0], fillOperands(pool, l.t)
}

// limit measures the FMA limit in GFLOP/s.
func (l *lab) limit(ctx context.Context, c tune.Choice) (float64, error) {
	u, err := l.tuned(c)
	if err != nil {
		return 0, err
	}
	b, err := l.bench(ctx, c)
	if err != nil {
		return 0, err
	}
	peak, err := b.pool.Peak(ctx, u.kernel, 4*peakTime)
	return peak / 1e9, err
}

// close ends all pools.
func (l *lab) close() {
	for _, b := range l.pools {
		b.pool.Close()
	}
	l.pools = nil
}
