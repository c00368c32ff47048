package tune

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"matmul/tiling"
)

// A Measure does one product and returns its time in seconds. It returns the
// context's error if that ended; any other error rules the choice out.
type Measure func(ctx context.Context, p tiling.Problem, c Choice) (seconds float64, err error)

// A Candidate is a choice that was tried, and what came of it.
type Candidate struct {
	Choice Choice `json:"choice"`
	// Why tells where it comes from: "incumbent", "model", "KC", ...
	Why string `json:"why"`
	// Rounds is how often it was measured at every size of its races.
	Rounds int `json:"rounds"`
	// Ratio is its time by that of the incumbent in the same round, the median
	// over the rounds of the geometric mean over the sizes; Spread its spread.
	Ratio  float64 `json:"time_by_incumbent"`
	Spread float64 `json:"spread"`
	// GFLOPS is the median speed at each size of [Outcome.Sizes]; 0 where it was
	// not measured.
	GFLOPS []float64 `json:"gflops"`
	// Out is why it was dropped; "" if it was not.
	Out string `json:"out,omitempty"`

	logs    []float64   // log of the ratio, by round
	seconds [][]float64 // by size, by round
}

// race lets choices compete by successive elimination: all that are left run
// once per round, in an order that changes, at each of the sizes; who is slower
// than the best beyond doubt is dropped, and when time is short the slower half
// is. What is compared are ratios to the incumbent's time in the same round,
// so that what all suffer alike does not matter. (Even-Dar, Mannor and Mansour,
// JMLR 7, 2006; with medians in place of means, since what disturbs a
// measurement only ever makes it longer, and a minimum may be a lucky one.)
type race struct {
	measure   Measure
	sizes     []tiling.Problem
	indices   []int        // of sizes in the whole list
	arms      []*Candidate // the first is the incumbent, which is never dropped
	now       func() time.Time
	end       time.Time
	maxRounds int
	shuffle   *rand.Rand
	report    func()

	roundTime time.Duration
}

// A round before minRounds drops only what is slower by far.
const (
	minRounds = 3
	farSlower = 0.10 // in two rounds of two
	doubt     = 2.0  // standard errors
)

// run races until one is left, time is up or ctx ends, whose error it returns.
func (r *race) run(ctx context.Context) error {
	for round := 1; round <= r.maxRounds; round++ {
		active := r.active()
		if len(active) == 1 || round > 1 && r.now().Add(r.roundTime).After(r.end) {
			return nil
		}
		start := r.now()
		if err := r.round(ctx, active); err != nil {
			return err
		}
		r.drop()
		r.roundTime = r.scaled(r.now().Sub(start), len(active))
		r.halve(round)
		r.report()
	}
	return nil
}

// scaled is what a round takes of those that are left, if it took d of so many.
func (r *race) scaled(d time.Duration, arms int) time.Duration {
	return d * time.Duration(len(r.active())) / time.Duration(arms)
}

func (r *race) active() (left []*Candidate) {
	for _, a := range r.arms {
		if a.Out == "" {
			left = append(left, a)
		}
	}
	return left
}

// round measures each of the arms once at every size.
func (r *race) round(ctx context.Context, arms []*Candidate) error {
	times := make(map[*Candidate][]float64)
	order := slices.Clone(arms)
	for _, p := range r.sizes {
		r.shuffle.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, a := range order {
			if a.Out != "" {
				continue
			}
			t, err := r.measure(ctx, p, a.Choice)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil && a == r.arms[0] {
				return err
			}
			if err != nil {
				a.Out = err.Error()
				continue
			}
			times[a] = append(times[a], t)
		}
	}
	r.note(times)
	return nil
}

// note adds a round's times to the candidates'.
func (r *race) note(times map[*Candidate][]float64) {
	reference := times[r.arms[0]]
	for a, ts := range times {
		if a.Out != "" {
			continue
		}
		sum := 0.0
		for i, t := range ts {
			sum += math.Log(t / reference[i])
			a.seconds[r.indices[i]] = append(a.seconds[r.indices[i]], t)
		}
		a.logs = append(a.logs, sum/float64(len(ts)))
		a.Rounds++
		a.Ratio, a.Spread = math.Exp(Median(a.logs)), Spread(a.logs)
	}
}

// best returns the one with the least median.
func (r *race) best() *Candidate {
	return slices.MinFunc(r.active(), func(a, b *Candidate) int {
		switch d := Median(a.logs) - Median(b.logs); {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
}

// drop drops who is slower than the best beyond doubt.
func (r *race) drop() {
	best := r.best()
	for _, a := range r.active() {
		if a == best || a == r.arms[0] {
			continue
		}
		d := minus(a.logs, best.logs)
		switch n := len(d); {
		case n == minRounds-1 && slices.Min(d) > farSlower:
			a.Out = "far slower"
		case n >= minRounds && Median(d) > doubt*medianError(d):
			a.Out = "slower"
		}
	}
}

// halve drops the slower half after rounds 1, 3 and 7 if there is no time for
// those that are left to run as often as they should: successive halving
// (Jamieson and Talwalkar, AISTATS 2016), in which each step takes about as long
// as the one before.
func (r *race) halve(round int) {
	left := r.active()
	if round&(round+1) != 0 || len(left) <= 3 {
		return
	}
	wanted := r.roundTime * time.Duration(r.maxRounds-round)
	if !r.now().Add(wanted).After(r.end) {
		return
	}
	slices.SortStableFunc(left, func(a, b *Candidate) int {
		return int(math.Copysign(1, Median(a.logs)-Median(b.logs)))
	})
	for _, a := range left[(len(left)+1)/2:] {
		if a != r.arms[0] {
			a.Out = "slower half"
		}
	}
	r.roundTime = r.scaled(r.roundTime, len(left))
}
