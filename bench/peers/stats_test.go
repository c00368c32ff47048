package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"matmul/internal/sys"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		name string
		v    []float64
		want float64
	}{
		{"of one value is that value", []float64{3}, 3},
		{"of an odd number is the middle one", []float64{9, 1, 5}, 5},
		{"of an even number is the mean of the middle ones", []float64{9, 1, 4, 5}, 4.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.v)
			if got := median(c.v); got != c.want {
				t.Errorf("median(%v) = %v, want %v", c.v, got, c.want)
			}
			if !slices.Equal(c.v, before) {
				t.Errorf("the values are now %v", c.v)
			}
		})
	}
}

// The ranks are those of the sign test's table (one-sided, 5 %), plus one.
func TestBoundRankIsThatOfTheSignTest(t *testing.T) {
	for _, c := range []struct{ n, want int }{
		{0, 0}, {1, 0}, {4, 0}, {5, 1}, {7, 1}, {8, 2}, {10, 2}, {11, 3}, {13, 4}, {15, 4}, {16, 5}, {20, 6}, {25, 8}, {30, 11}, {50, 19}, {100, 42},
	} {
		if got := boundRank(c.n); got != c.want {
			t.Errorf("boundRank(%d) = %d, want %d", c.n, got, c.want)
		}
	}
}

func TestBoundRankOfManyValuesNearsTheNormalApproximation(t *testing.T) {
	const n = 100_000
	want := n/2 - 1.6449*math.Sqrt(n)/2
	if got := float64(boundRank(n)); math.Abs(got-want) > 2 {
		t.Errorf("boundRank(%d) = %v, want about %.1f", n, got, want)
	}
}

func TestLowerBound(t *testing.T) {
	v := []float64{15, 3, 8, 1, 12, 5, 10, 2, 14, 7, 4, 11, 6, 13, 9}
	if got := lowerBound(v); got != 4 {
		t.Errorf("of 1…15 it is %v, want the 4th smallest", got)
	}
	if got := lowerBound(v[:4]); !math.IsNaN(got) {
		t.Errorf("of 4 values it is %v, want none", got)
	}
}

func TestLowerBoundExceedsTheMedianAsSeldomAsPromised(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const trials = 20_000
	above := 0
	for range trials {
		v := make([]float64, 15)
		for i := range v {
			v[i] = r.ExpFloat64() // far from symmetric; its median is ln 2
		}
		if lowerBound(v) > math.Ln2 {
			above++
		}
	}
	// P(Binomial(15, 1/2) ≤ 3) = 576/32768; the seed is fixed.
	if got, want := float64(above)/trials, 576.0/32768; math.Abs(got-want) > 0.004 {
		t.Errorf("in %.4f of the trials, want %.4f", got, want)
	}
}

func TestRatiosPairRoundByRound(t *testing.T) {
	if got := ratios([]float64{2, 9, 4}, []float64{1, 3, 8}); !slices.Equal(got, []float64{2, 3, 0.5}) {
		t.Error(got)
	}
}

func TestOrderGivesEverybodyEveryPlace(t *testing.T) {
	const n = 5
	places := map[[2]int]bool{}
	for round := range 2 * n {
		o := order(n, round)
		for place, who := range o {
			places[[2]int{who, place}] = true
		}
		if slices.Sort(o); !slices.Equal(o, []int{0, 1, 2, 3, 4}) {
			t.Fatalf("round %d leaves somebody out: %v", round, o)
		}
	}
	if len(places) != n*n {
		t.Errorf("%d of %d places were taken", len(places), n*n)
	}
}

func TestHighLeavesOutTheHighest(t *testing.T) {
	if got := high([]float64{5, 9, 1, 7, 3, 8, 6}); got != 5 {
		t.Errorf("of seven values it is %v, want the fifth highest", got)
	}
	if got := high([]float64{2, 1}); got != 1 {
		t.Errorf("of two values it is %v, want the lower", got)
	}
}

func TestRoundsCountByWhatCoresIssueBesideTheirTurns(t *testing.T) {
	steady, disturbed := &round{cores: []float64{99, 98, 97}}, &round{cores: []float64{99, 66, 99}}
	b := &board{rounds: []*round{steady, disturbed}}
	a := &arena{o: &options{alone: 0.95}, cores: []float64{100, 100, 100, 100, 100, 99, 98, 97, 99, 66, 99}}
	if got := a.counting(b); !slices.Equal(got, []*round{steady}) {
		t.Errorf("%d rounds count, want the one whose cores stay above 95", len(got))
	}
	a.cores = append(a.cores, 110, 110, 110, 110, 110) // before, they were not alone
	if got := a.counting(b); len(got) != 0 {
		t.Errorf("%d rounds count, want none any more", len(got))
	}
	a.o.alone = 0
	if got := a.counting(b); len(got) != 2 {
		t.Errorf("%d rounds count, want all", len(got))
	}
}

func TestIssueRateIsMeasuredOnEachProcessor(t *testing.T) {
	cpus, err := sys.ProcessAffinity()
	if err != nil {
		t.Fatal(err)
	}
	if rate, err := issueRate(cpus); err != nil || rate <= 0 {
		t.Errorf("%v turns a second, %v", rate, err)
	}
	if _, err := issueRate([]int{-1}); err == nil {
		t.Error("there is no processor -1")
	}
}
