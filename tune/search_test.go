package tune

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/tiling"
)

// A track is a machine of a test: a clock that only measuring moves, noise as
// on a shared host, and a speed for each choice.
type track struct {
	clock   time.Time
	noise   *rand.Rand
	speed   func(p tiling.Problem, c Choice) float64 // of the limit, 1 the best
	runs    int
	hiccups bool
}

const limit = 100e9 // flop/s

func (t *track) measure(ctx context.Context, p tiling.Problem, c Choice) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t.runs++
	seconds := p.Flops() / limit / t.speed(p, c)
	// A slow drift that all share, noise of 1.5 %, and now and then a hiccup.
	seconds *= 1 + 0.05*math.Sin(float64(t.clock.UnixNano())/3e9)
	seconds *= math.Exp(0.015 * t.noise.NormFloat64())
	if t.hiccups && t.noise.IntN(20) == 0 {
		seconds *= 1 + t.noise.Float64()
	}
	t.clock = t.clock.Add(time.Duration(seconds * 1e9))
	return seconds, nil
}

func (t *track) now() time.Time { return t.clock }

func newSearch(t *track, budget time.Duration) *Search {
	k := kernelOf(gemm.AVX512, elem.Float64, 8, 24)
	share := CacheSizes{32 << 10, 1 << 20, 16 << 20}
	var sizes []tiling.Problem
	for _, n := range []int64{1024, 2048, 4096} {
		sizes = append(sizes, tiling.Problem{M: n, N: n, K: n})
	}
	return &Search{
		Measure: t.measure, Now: t.now, Sizes: sizes, Kernels: []*gemm.Kernel{k}, Share: share,
		Levels:    [3]Level{{32 << 10, 8, 64}, {1 << 20, 8, 64}, {16 << 20, 8, 64}},
		Incumbent: Untuned(k, share), Budget: budget,
	}
}

// hill is a speed with its top at KC = kc, NC = nc, 10 % lower at twice or half
// of these.
func hill(kc, nc float64) func(tiling.Problem, Choice) float64 {
	return func(_ tiling.Problem, c Choice) float64 {
		x, y := math.Log2(float64(c.KC)/kc), math.Log2(float64(c.NC)/nc)
		return math.Exp(-0.1 * (x*x + y*y))
	}
}

func TestASearchComesNearTheTop(t *testing.T) {
	for seed := range uint64(20) {
		tr := &track{noise: rand.New(rand.NewPCG(seed, 0)), speed: hill(700, 100), hiccups: true}
		o, err := newSearch(tr, time.Minute).Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p := tiling.Problem{M: 1024, N: 1024, K: 1024}
		if got := tr.speed(p, o.Choice); !o.Replaced || got < 0.965 {
			t.Errorf("seed %d: %v (replaced: %v) reaches %.3f of the top", seed, o.Choice, o.Replaced, got)
		}
		if u := o.Untuned; u == nil || math.Abs(math.Log(u.Ratio*tr.speed(p, u.A)/tr.speed(p, u.B))) > 4*u.Error {
			t.Errorf("seed %d: compared with the untuned choice as %+v", seed, u)
		}
	}
}

func TestWhereNothingIsBetterTheIncumbentMostlyStays(t *testing.T) {
	replaced := 0
	for seed := range uint64(40) {
		tr := &track{noise: rand.New(rand.NewPCG(seed, 1)), speed: func(tiling.Problem, Choice) float64 { return 1 }, hiccups: true}
		o, err := newSearch(tr, time.Minute).Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if o.Replaced {
			replaced++
		}
	}
	if replaced > 10 {
		t.Errorf("noise replaced the incumbent in %d of 40 searches", replaced)
	}
}

func TestAChoiceThatSuitsOneSizeAloneDoesNotWin(t *testing.T) {
	for seed := range uint64(10) {
		tr := &track{noise: rand.New(rand.NewPCG(seed, 2)), speed: func(p tiling.Problem, c Choice) float64 {
			if c.Tasks == 4 && p.M == 1024 {
				return 1
			} else if c.Tasks == 4 {
				return 0.85
			}
			return 0.95
		}}
		o, err := newSearch(tr, time.Minute).Run(context.Background())
		if err != nil || o.Choice.Tasks == 4 {
			t.Errorf("seed %d: chose %v, %v", seed, o.Choice, err)
		}
	}
}

func TestASearchEndsWithItsBudget(t *testing.T) {
	for _, budget := range []time.Duration{time.Millisecond, time.Second, 5 * time.Second, 30 * time.Second, 5 * time.Minute} {
		tr := &track{noise: rand.New(rand.NewPCG(3, 3)), speed: hill(300, 300)}
		begin := tr.clock
		s := newSearch(tr, budget)
		last := time.Duration(0)
		s.Progress = func(used time.Duration, best Candidate) { last = max(last, used) }
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		// What is begun is finished: one product of each size at the start, and
		// one round of a race of the cheaper ones.
		if used := tr.clock.Sub(begin); used > budget+12*time.Second || used > budget*11/10+2*time.Second && budget > 10*time.Second {
			t.Errorf("a budget of %v took %v, %d products", budget, used, tr.runs)
		}
	}
}

func TestAnEndBeforeTheComparisonKeepsWhatWasFound(t *testing.T) {
	tr := &track{noise: rand.New(rand.NewPCG(4, 4)), speed: hill(700, 100)}
	s := newSearch(tr, time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	s.Progress = func(used time.Duration, _ Candidate) {
		if used > 30*time.Second {
			cancel()
		}
	}
	o, err := s.Run(ctx)
	if !errors.Is(err, context.Canceled) || o == nil {
		t.Fatalf("%+v, %v", o, err)
	}
	if o.Choice != s.Incumbent || o.Replaced {
		t.Errorf("an unconfirmed choice came out: %+v", o)
	}
	if o.Found == nil || tr.speed(s.Sizes[0], *o.Found) < 0.97 {
		t.Errorf("found so far: %v", o.Found)
	}
	next := newSearch(tr, time.Second)
	next.Found = o.Found
	if !slices.ContainsFunc(next.blocks(next.Incumbent), func(c Candidate) bool { return c.Choice == *o.Found }) {
		t.Error("the next search does not try what was found")
	}
}

func TestAChoiceThatFailsIsDroppedAndTheIncumbentMayNotFail(t *testing.T) {
	broken := errors.New("no memory")
	tr := &track{noise: rand.New(rand.NewPCG(5, 5)), speed: hill(700, 100)}
	s := newSearch(tr, time.Minute)
	s.Measure = func(ctx context.Context, p tiling.Problem, c Choice) (float64, error) {
		if c.KC > 400 {
			return 0, broken
		}
		return tr.measure(ctx, p, c)
	}
	o, err := s.Run(context.Background())
	if err != nil || o.Choice.KC > 400 {
		t.Errorf("%+v, %v", o, err)
	}
	s.Measure = func(context.Context, tiling.Problem, Choice) (float64, error) { return 0, broken }
	if _, err := s.Run(context.Background()); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestCandidatesKeepWithinTheModelsRange(t *testing.T) {
	for _, l2 := range []int64{256 << 10, 1 << 20, 8 << 20} {
		tr := &track{noise: rand.New(rand.NewPCG(6, 6)), speed: hill(100, 100)}
		s := newSearch(tr, time.Minute)
		s.Share.L2 = l2
		guess := Guess(s.Kernels[0], s.Share)
		seen := map[Choice]bool{}
		for _, c := range slices.Concat(s.blocks(s.Incumbent), s.refined(s.Incumbent)) {
			seen[c.Choice] = true
			if err := c.Choice.Check(s.Kernels[0]); err != nil {
				t.Errorf("%s: %v", c.Why, err)
			}
			if c.Why == "untuned" {
				continue
			}
			for _, v := range [][2]int{{c.Choice.MC, guess.MC}, {c.Choice.KC, guess.KC}, {c.Choice.NC, guess.NC}} {
				if f := float64(v[0]) / float64(v[1]); f < leastOfModel*0.99 || f > mostOfModel {
					t.Errorf("%s: %v is %.2f of the guess %+v", c.Why, c.Choice, f, guess)
				}
			}
		}
		for _, c := range slices.Concat(s.tiles(s.Incumbent), s.pools(s.Incumbent)) {
			if err := c.Choice.Check(s.Kernels[0]); err != nil {
				t.Errorf("%s: %v", c.Why, err)
			}
		}
		if len(seen) < 20 {
			t.Errorf("only %d different candidates", len(seen))
		}
	}
}

func TestAGridIsSearchedInPlaceOfTheModels(t *testing.T) {
	tr := &track{noise: rand.New(rand.NewPCG(7, 7)), speed: hill(200, 48)}
	s := newSearch(tr, time.Minute)
	axes, err := ReadAxes([]byte(`{"kc": [128, 200, 256], "nc": ["48", 96]}`))
	if err != nil {
		t.Fatal(err)
	}
	s.Grid = Points(axes, s.Incumbent)
	o, err := s.Run(context.Background())
	if err != nil || o.Choice.KC != 200 || o.Choice.NC != 48 {
		t.Errorf("%+v, %v", o.Choice, err)
	}
	for _, c := range o.Candidates {
		if c.Why != "grid" && c.Why != "incumbent" && c.Why != "untuned" && c.Why != "model" {
			t.Errorf("a candidate from %s", c.Why)
		}
	}
}

func TestMediansAndSpreadsDoNotMindAFewInterruptions(t *testing.T) {
	v := []float64{1.00, 1.01, 0.99, 1.00, 5, 1.02, 0.98, 9}
	if m := Median(v); m != 1.005 {
		t.Errorf("median %g", m)
	}
	if s := Spread(v); s > 0.03 || s < 0.01 {
		t.Errorf("spread %g", s)
	}
	if m := Median([]float64{3, 1, 2}); m != 2 {
		t.Errorf("median of three: %g", m)
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("nothing has a median")
	}
}
