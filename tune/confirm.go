package tune

import (
	"context"
	"math"
	"slices"
	"time"

	"matmul/tiling"
)

// A Comparison is two choices measured in turns: A, B, B, A.
type Comparison struct {
	A Choice `json:"a"`
	B Choice `json:"b"`
	// Ratios are the medians of A's time by B's at each size, and Errors their
	// standard errors (of the logarithm).
	Ratios []float64 `json:"ratios"`
	Errors []float64 `json:"errors"`
	// Ratio is the geometric mean of Ratios, and Error its standard error.
	Ratio  float64 `json:"ratio"`
	Error  float64 `json:"error"`
	Rounds int     `json:"rounds"`
	// GFLOPS are the median speeds of A at each size.
	GFLOPS []float64 `json:"gflops"`

	logs    [][]float64 // of the ratios, by size
	seconds [][]float64 // of A, by size
}

// A comparison of fewer rounds says nothing, and more say no more.
const (
	minComparison = 3
	maxComparison = 25
)

// wins reports whether A is the faster beyond one standard error, and at no
// size the slower by more than half of a per cent, as far as one can tell.
func (c *Comparison) wins() bool {
	if c == nil || c.Rounds < minComparison || math.Log(c.Ratio)+c.Error >= 0 {
		return false
	}
	for i, r := range c.Ratios {
		if math.Log(r) > 0.005+c.Errors[i]/2 {
			return false
		}
	}
	return true
}

// compare measures two choices in turns, as many rounds as there is time for.
// Sizes that cost less are measured more often in each round, so that all are
// known alike.
func (s *Search) compare(ctx context.Context, a, b Choice, end time.Time) (*Comparison, error) {
	c := &Comparison{A: a, B: b, logs: make([][]float64, len(s.Sizes)), seconds: make([][]float64, len(s.Sizes))}
	defer c.sum(s.Sizes)
	round := time.Duration(0)
	for i, cost := range s.costs {
		round += 2 * cost * time.Duration(s.repeat(i))
	}
	for c.Rounds < maxComparison && !s.Now().Add(round).After(end) {
		start := s.Now()
		for i := range s.Sizes {
			if err := s.turns(ctx, c, i); err != nil {
				return c, err
			}
		}
		c.Rounds++
		round = s.Now().Sub(start)
	}
	return c, nil
}

// repeat is how often a size is measured in each round of a comparison.
func (s *Search) repeat(size int) int {
	dearest := s.costs[len(s.costs)-1]
	return min(max(int(math.Sqrt(float64(dearest)/float64(s.costs[size]))), 1), 8)
}

// turns measures both at one size, A first in every other turn.
func (s *Search) turns(ctx context.Context, c *Comparison, size int) error {
	for turn := range s.repeat(size) {
		order := []Choice{c.A, c.B}
		swapped := (turn+c.Rounds)%2 == 1
		if swapped {
			slices.Reverse(order)
		}
		var times [2]float64
		for i, choice := range order {
			t, err := s.Measure(ctx, s.Sizes[size], choice)
			if err != nil {
				return firstOf(context.Cause(ctx), err)
			}
			times[i] = t
		}
		if swapped {
			slices.Reverse(times[:])
		}
		c.logs[size] = append(c.logs[size], math.Log(times[0]/times[1]))
		c.seconds[size] = append(c.seconds[size], times[0])
	}
	return nil
}

// sum fills in what the measurements say.
func (c *Comparison) sum(sizes []tiling.Problem) {
	if c.Rounds == 0 {
		return
	}
	c.Ratios, c.Errors, c.GFLOPS = nil, nil, nil
	log, square, n := 0.0, 0.0, float64(len(sizes))
	for i, p := range sizes {
		m, e := Median(c.logs[i]), medianError(c.logs[i])
		log, square = log+m, square+e*e
		c.Ratios, c.Errors = append(c.Ratios, math.Exp(m)), append(c.Errors, e)
		c.GFLOPS = append(c.GFLOPS, p.Flops()/Median(c.seconds[i])/1e9)
	}
	c.Ratio, c.Error = math.Exp(log/n), math.Sqrt(square)/n
}

// confirm lets the best of the races compete with the incumbent afresh, and
// then what stays with the untuned choice, for the record.
func (s *Search) confirm(ctx context.Context, o *Outcome) (err error) {
	untuned := Untuned(s.Kernels[0], s.Share)
	until := s.fraction(1)
	if s.Incumbent != untuned {
		until = s.fraction((1 + untilPool) / 2)
	}
	if c := s.challenger(); c != nil {
		if o.Confirmed, err = s.compare(ctx, c.Choice, s.Incumbent, until); err != nil {
			return err
		}
		if o.Replaced = o.Confirmed.wins(); o.Replaced {
			o.Choice = o.Confirmed.A
		}
	}
	switch {
	case o.Choice == untuned:
	case o.Replaced && s.Incumbent == untuned:
		o.Untuned = o.Confirmed
	default:
		o.Untuned, err = s.compare(ctx, o.Choice, untuned, s.fraction(1))
	}
	return err
}
