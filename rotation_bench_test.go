//go:build linux

package matmul_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
)

// A contestant is a product that takes turns with others, in a pool of its own
// or a common one.
type contestant struct {
	pool *master.Pool
	plan *master.Plan
	rate []float64 // GFLOP/s, by round
}

// rotate gives each contestant a turn in every iteration, after one that does
// not count.
func rotate(b *testing.B, cs []*contestant) {
	ctx := context.Background()
	reserve(b, cs)
	turn := func() {
		for _, c := range cs {
			job, err := c.pool.Prepare(ctx, c.plan)
			if err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			if _, err := job.Run(ctx); err != nil {
				b.Fatal(err)
			}
			c.rate = append(c.rate, c.plan.Flops()/float64(time.Since(start)))
			job.Close()
		}
	}
	turn()
	for _, c := range cs {
		c.rate = nil
	}
	for b.Loop() {
		turn()
	}
	b.ReportMetric(0, "ns/op") // of several products: says nothing
}

// reserve makes room in each pool for all that it will do.
func reserve(b *testing.B, cs []*contestant) {
	plans := map[*master.Pool][]*master.Plan{}
	for _, c := range cs {
		plans[c.pool] = append(plans[c.pool], c.plan)
	}
	for p, all := range plans {
		if err := p.Reserve(context.Background(), all...); err != nil {
			b.Fatal(err)
		}
	}
}

// over returns the median of the ratios of x's rates to y's, round by round.
func (x *contestant) over(y *contestant) float64 {
	ratios := make([]float64, len(x.rate))
	for i := range ratios {
		ratios[i] = x.rate[i] / y.rate[i]
	}
	return middle(ratios)
}

// BenchmarkSizes is how even the speed is: sizes that no block divides beside
// their neighbours, by the median of the ratios of a rotation. The worst of
// 1000, 1007, … 1098 is compared with their median.
func BenchmarkSizes(b *testing.B) {
	p := pool(b)
	square := func(n int64) *contestant {
		return &contestant{pool: p, plan: shape{n, n, n}.plan(b, gemm.Auto, elem.Float64, p.Workers())}
	}
	b.Run("1000-1100", func(b *testing.B) {
		var cs []*contestant
		for n := int64(1000); n <= 1100; n += 7 {
			cs = append(cs, square(n))
		}
		rotate(b, cs)
		var rates []float64
		for _, c := range cs {
			rates = append(rates, middle(c.rate))
		}
		b.ReportMetric(slices.Min(rates)/middle(rates), "worst/median")
		b.ReportMetric(middle(rates), "GFLOP/s")
	})
	for _, c := range [][2]int64{{2047, 2048}, {2049, 2048}, {3001, 3000}} {
		b.Run(fmt.Sprintf("%d-by-%d", c[0], c[1]), func(b *testing.B) {
			odd, even := square(c[0]), square(c[1])
			rotate(b, []*contestant{odd, even})
			b.ReportMetric(odd.over(even), "ratio")
		})
	}
}

// BenchmarkTransposed is what a product of operands that are stored transposed
// has of the speed of one of row-major operands.
func BenchmarkTransposed(b *testing.B) {
	p := pool(b)
	for _, n := range []int64{1024, 2048} {
		plain := transposed(b, p, n, false, false)
		cs := []*contestant{plain, transposed(b, p, n, true, false), transposed(b, p, n, false, true), transposed(b, p, n, true, true)}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for _, c := range cs {
				c.rate = nil
			}
			rotate(b, cs)
			for i, name := range []string{"A", "B", "both"} {
				b.ReportMetric(cs[i+1].over(plain), name)
			}
		})
	}
}

func transposed(b *testing.B, p *master.Pool, n int64, transA, transB bool) *contestant {
	k, err := gemm.Lookup(gemm.Auto, elem.Float64)
	if err != nil {
		b.Fatal(err)
	}
	op := func(trans bool) master.Operand {
		m := shmmat.Matrix{Rows: n, Cols: n, LD: n, Type: elem.Float64}
		if trans {
			m = m.T()
		}
		return master.Operand{Matrix: m}
	}
	plan, err := master.NewPlan(master.Spec{Type: elem.Float64, Alpha: 1, Kernel: k, A: op(transA), B: op(transB)}, p.Workers())
	if err != nil {
		b.Fatal(err)
	}
	return &contestant{pool: p, plan: plan}
}

// BenchmarkScaling is how many times the speed of one worker all of them have.
func BenchmarkScaling(b *testing.B) {
	for _, n := range []int64{2048, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all, one := pool(b), poolOf(b, 1)
			s := shape{n, n, n}
			x := &contestant{pool: all, plan: s.plan(b, gemm.Auto, elem.Float64, all.Workers())}
			y := &contestant{pool: one, plan: s.plan(b, gemm.Auto, elem.Float64, 1)}
			rotate(b, []*contestant{x, y})
			b.ReportMetric(x.over(y), "times")
			b.ReportMetric(float64(all.Workers()), "workers")
		})
	}
}

// BenchmarkSustained is what a product of 4096 has of two limits: of bare FMAs for 5 ms,
// and for as long as the product before them took. What the second has of the first the
// host leaves: on processors of one's own, all of it.
func BenchmarkSustained(b *testing.B) {
	p := pool(b)
	for _, t := range []elem.Type{elem.Float64, elem.Float32} {
		for _, isa := range gemm.Supported() {
			if isa == gemm.Generic {
				continue // takes minutes
			}
			b.Run(fmt.Sprintf("%s/%s", t, isa), func(b *testing.B) { sustained(b, p, shape{4096, 4096, 4096}.plan(b, isa, t, p.Workers())) })
		}
	}
}

func sustained(b *testing.B, p *master.Pool, plan *master.Plan) {
	ctx := context.Background()
	job, err := p.Prepare(ctx, plan)
	if err != nil {
		b.Fatal(err)
	}
	defer job.Close()
	limit := func(d time.Duration) float64 {
		rate, err := p.Peak(ctx, plan.Kernel, d)
		if err != nil {
			b.Fatal(err)
		}
		return rate
	}
	var product, short, long []float64
	turn := func() {
		start := time.Now()
		if _, err := job.Run(ctx); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		product = append(product, plan.Flops()/took.Seconds())
		short, long = append(short, limit(5*time.Millisecond)), append(long, limit(took))
	}
	turn()
	product, short, long = nil, nil, nil
	for b.Loop() {
		turn()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(product)/1e9, "GFLOP/s")
	b.ReportMetric(100*middle(product)/middle(short), "%limit")
	b.ReportMetric(100*middle(product)/middle(long), "%sustained")
}
