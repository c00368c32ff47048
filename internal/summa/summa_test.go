package summa

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"matmul/tiling"
)

func TestBlocksCoverEveryElementOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Grid{rapid.IntRange(1, 9).Draw(t, "p"), rapid.IntRange(1, 9).Draw(t, "q")}
		r0 := rapid.Int64Range(0, 20).Draw(t, "r0")
		r1 := r0 + rapid.Int64Range(0, 30).Draw(t, "rows")
		n := rapid.Int64Range(0, 30).Draw(t, "n")
		seen := map[[2]int64]int{}
		for rank := range g.Ranks() {
			b := g.Block(rank, r0, r1, n)
			for i := b.R0; i < b.R1; i++ {
				for j := b.C0; j < b.C1; j++ {
					seen[[2]int64{i, j}]++
				}
			}
			if rows := (r1 - r0) / int64(g.P); b.Rows() < rows || b.Rows() > rows+1 {
				t.Fatalf("rank %d has %d of %d rows", rank, b.Rows(), r1-r0)
			}
		}
		for i := r0; i < r1; i++ {
			for j := range n {
				if seen[[2]int64{i, j}] != 1 {
					t.Fatalf("element (%d, %d) has %d owners", i, j, seen[[2]int64{i, j}])
				}
			}
		}
		if int64(len(seen)) != (r1-r0)*n {
			t.Fatalf("%d elements have owners, C has %d", len(seen), (r1-r0)*n)
		}
	})
}

func TestGridReceivesLeast(t *testing.T) {
	for _, c := range []struct {
		m, n, k int64
		ranks   int
		want    Grid
	}{
		{4096, 4096, 4096, 1, Grid{1, 1}},
		{4096, 4096, 4096, 4, Grid{2, 2}},
		{4096, 4096, 4096, 9, Grid{3, 3}},
		{4096, 4096, 4096, 7, Grid{7, 1}}, // as good as 1×7: the first that comes
		{100000, 1000, 1000, 4, Grid{4, 1}},
		{1000, 100000, 1000, 4, Grid{1, 4}},
		{8000, 2000, 500, 16, Grid{8, 2}},
		{1, 100000, 1000, 6, Grid{1, 6}}, // one row cannot be divided
		{100000, 1, 1000, 6, Grid{6, 1}},
	} {
		p := tiling.Problem{M: c.m, N: c.n, K: c.k}
		got := Choose(p, c.ranks)
		if got != c.want && (got.work(p) != c.want.work(p) || got.Received(p) != c.want.Received(p)) {
			t.Errorf("%+v: grid %v, want %v", c, got, c.want)
		}
	}
}

func TestEveryGridHasAllRanks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, 1<<20)
		p := tiling.Problem{M: size.Draw(t, "m"), N: size.Draw(t, "n"), K: size.Draw(t, "k")}
		ranks := rapid.IntRange(1, 4096).Draw(t, "ranks")
		if g := Choose(p, ranks); g.Ranks() != ranks {
			t.Fatalf("grid %v for %d ranks", g, ranks)
		}
	})
}

// TestBytesAreThoseOfTheBroadcasts counts, for small grids, what SUMMA sends.
func TestBytesAreThoseOfTheBroadcasts(t *testing.T) {
	p := tiling.Problem{M: 60, N: 84, K: 64}
	for _, ranks := range []int{1, 2, 4, 6, 12} {
		plan := New(p, 8, Machines{Ranks: ranks, Rate: 1e9, Network: Usual}, p.M, math.Inf(1))
		sent := 0.0
		for rank := range ranks {
			b := plan.Block(rank, 0, p.M, p.N)
			// Each rank receives the panels of A that others of its row have, and
			// of B those of its column.
			sent += float64(b.Rows()*p.K)*float64(plan.Q-1)/float64(plan.Q) + float64(b.Cols()*p.K)*float64(plan.P-1)/float64(plan.P)
		}
		if got := plan.Bytes * float64(ranks); math.Abs(got-8*sent) > 1e-6*sent {
			t.Errorf("%d ranks: %v bytes, counted %v", ranks, got, 8*sent)
		}
	}
}

func TestPlansAreConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, 1<<18)
		p := tiling.Problem{M: size.Draw(t, "m"), N: size.Draw(t, "n"), K: size.Draw(t, "k")}
		ranks := rapid.IntRange(1, 512).Draw(t, "ranks")
		n := Network{rapid.Float64Range(0, 1e-3).Draw(t, "latency"), rapid.Float64Range(1e6, 1e12).Draw(t, "bandwidth"), rapid.SampledFrom([]float64{0, 1e7, 1e10}).Draw(t, "processor")}
		rate := rapid.Float64Range(1e9, 1e13).Draw(t, "rate")
		on := Machines{Ranks: ranks, Rate: rate, Network: n, Scatter: rapid.Bool().Draw(t, "scatter")}
		on.Direct = !on.Scatter && rapid.Bool().Draw(t, "direct")
		plan := New(p, 8, on, max(p.M/3, 1), math.Inf(1))
		if plan.Width < 1 || plan.Width > max(p.K, 1) {
			t.Fatalf("panels of %d of %d columns", plan.Width, p.K)
		}
		if e := plan.Efficiency(rate); !(e > 0 && e <= 1+1e-9) {
			t.Fatalf("efficiency %v of %+v", e, plan)
		}
		if plan.Exposed > plan.Transfer*(1+1e-9) {
			t.Fatalf("%v s of %v s of transfers are not hidden", plan.Exposed, plan.Transfer)
		}
		if plan.Bytes < plan.Bound && plan.Bands == 1 && plan.P > 1 && plan.Q > 1 {
			// A rank holds what it received and what it has read itself: the bound
			// counts the latter as memory.
			t.Fatalf("%v bytes received, the bound is %v", plan.Bytes, plan.Bound)
		}
	})
}

// TestScatteringCostsWhatRankZeroSends: all that other ranks have of A and B leaves
// rank 0 once for each band, and their blocks of C come back.
func TestScatteringCostsWhatRankZeroSends(t *testing.T) {
	p := tiling.Problem{M: 9000, N: 6000, K: 4096}
	on := Machines{Ranks: 6, Rate: 1e11, Network: Usual}
	for _, bands := range []int64{1, 3} {
		shared := New(p, 8, on, p.M/bands, math.Inf(1))
		on := on
		on.Scatter = true
		plan := New(p, 8, on, p.M/bands, math.Inf(1))
		sent, c := 0.0, 0.0
		for band := range bands {
			for rank := 1; rank < 6; rank++ {
				b := plan.Block(rank, band*p.M/bands, (band+1)*p.M/bands, p.N)
				c += float64(8 * b.Rows() * b.Cols())
				sent += float64(8*b.Rows()*p.K)/float64(plan.Q) + float64(8*b.Cols()*p.K)/float64(plan.P)
			}
		}
		if math.Abs(plan.Sent-sent) > 1e-9*sent || plan.Returned != c {
			t.Errorf("%d bands: %v and %v bytes, counted %v and %v", bands, plan.Sent, plan.Returned, sent, c)
		}
		if shared.Sent != 0 || shared.Returned != 0 || plan.Time <= shared.Time {
			t.Errorf("%d bands: %v s with files at rank 0 alone, %v s with shared ones", bands, plan.Time, shared.Time)
		}
	}
}

func TestFasterNetworksMakeFasterProducts(t *testing.T) {
	p := tiling.Problem{M: 20000, N: 20000, K: 20000}
	before := math.Inf(1)
	for _, bandwidth := range []float64{1e7, 1e8, 1e9, 1e10, 1e11} {
		plan := New(p, 8, Machines{Ranks: 64, Rate: 1e12, Network: Network{Latency: 1e-5, Bandwidth: bandwidth}}, p.M, math.Inf(1))
		if plan.Time > before {
			t.Errorf("at %v B/s it takes %v s, with less %v s", bandwidth, plan.Time, before)
		}
		before = plan.Time
	}
}

func TestNetworksAreParsed(t *testing.T) {
	for text, want := range map[string]Network{
		"20us,1.25GB":     {20e-6, 1.25e9, 0},
		"1ms,125MB/s":     {1e-3, 125e6, 0},
		" 2us , 25G ":     {2e-6, 25e9, 0},
		"0s,1e9":          {0, 1e9, 0},
		"1us,1GB, 2.5GB":  {1e-6, 1e9, 2.5e9},
		"1us,1GB,0":       {},
		"1us,1GB,1GB,1GB": {},
		"1.5us,12.5 GB/s": {},
		"20us":            {},
		"20,1GB":          {},
		"-1us,1GB":        {},
		"1us,0":           {},
		"1us,-1GB":        {},
		"1us,NaN":         {},
		"1us,":            {},
		",":               {},
	} {
		got, err := ParseNetwork(text)
		if (err != nil) != (want == Network{}) || got != want && err == nil {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, want := range []Network{Usual, {Latency: 1e-3, Bandwidth: 114e6, Processor: 3e8}} {
		if n, err := ParseNetwork(want.String()); err != nil || n != want {
			t.Errorf("%v is read as %v, %v", want, n, err)
		}
	}
}

// TestPanelsThatWorkersReadTakeOneStepWhereThatIsFastest: nothing travels, so the
// widest that memory holds costs least.
func TestPanelsThatWorkersReadTakeOneStepWhereThatIsFastest(t *testing.T) {
	for _, k := range []int64{500, 4609, 8192, 50000} {
		p := tiling.Problem{M: 4096, N: 4096, K: k}
		if plan := New(p, 8, Machines{Ranks: 2, Rate: 1e11, Network: Local, Direct: true}, p.M, math.Inf(1)); plan.Steps() != 1 {
			t.Errorf("k = %d: %d steps", k, plan.Steps())
		}
	}
}

// TestMovingPanelsSlowsWhoComputes: each byte that is received while another step is
// computed takes its part of a processor from it, and none of the others'.
func TestMovingPanelsSlowsWhoComputes(t *testing.T) {
	p := tiling.Problem{M: 4096, N: 4096, K: 8192}
	on := Machines{Ranks: 4, Rate: 1e11, Network: Network{Latency: 1e-4, Bandwidth: 1e9}}
	free := New(p, 8, on, p.M, math.Inf(1))
	on.Processor, on.Workers = 1e9, 4
	plan := New(p, 8, on, p.M, math.Inf(1))
	hidden := plan.Bytes * float64(plan.K-plan.Width) / float64(plan.K) // all but the first step's; the last is no wider
	if want := hidden / on.Processor / 4; plan.Width != free.Width || math.Abs(plan.Slowed-want) > 0.1*want {
		t.Errorf("%v s longer, want about %v s; panels of %d and %d", plan.Slowed, want, plan.Width, free.Width)
	}
	if free.Slowed != 0 || plan.Time < free.Time {
		t.Errorf("%v s, and %v s where a transfer takes no processor", plan.Time, free.Time)
	}
}
