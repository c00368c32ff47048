package tune

import (
	"cmp"
	"slices"

	"matmul/tiling"
)

// Outcome is what a search found.
type Outcome struct {
	Sizes []tiling.Problem `json:"sizes"`
	// Choice is the incumbent, or what has beaten it twice: in the races and
	// in a fresh comparison.
	Choice   Choice `json:"choice"`
	Replaced bool   `json:"replaced"`
	// Found is the best of the races if the search ended before the comparison.
	Found *Choice `json:"found,omitempty"`
	// Candidates are all that were tried, fastest first.
	Candidates []*Candidate `json:"candidates"`
	// Confirmed compares the best of the races (A) with the incumbent (B), and
	// Untuned the final choice with the untuned one; nil if they are the same.
	Confirmed *Comparison `json:"confirmed,omitempty"`
	Untuned   *Comparison `json:"untuned,omitempty"`
}

func (s *Search) progress() {
	if s.Progress != nil {
		best := *s.leader
		for _, c := range s.tried {
			if c.Rounds > 0 && c.Out == "" && len(c.logs) > 0 && (len(best.logs) == 0 || c.Ratio < best.Ratio) {
				best = *c
			}
		}
		best.GFLOPS = s.speeds(&best)
		s.Progress(s.Now().Sub(s.start), best)
	}
}

// speeds returns a candidate's median GFLOP/s at each size.
func (s *Search) speeds(c *Candidate) []float64 {
	v := make([]float64, len(s.Sizes))
	for i, t := range c.seconds {
		if len(t) > 0 {
			v[i] = s.Sizes[i].Flops() / Median(t) / 1e9
		}
	}
	return v
}

// ranking returns all candidates that were measured, by speed; those that were
// measured too seldom to be believed come last.
func (s *Search) ranking() (all []*Candidate) {
	for _, c := range s.tried {
		if c.GFLOPS = s.speeds(c); slices.Max(c.GFLOPS) > 0 {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *Candidate) int {
		if few := b2i(a.Rounds < minRounds) - b2i(b.Rounds < minRounds); few != 0 {
			return few
		}
		return cmp.Compare(a.Ratio, b.Ratio)
	})
	return all
}

// Speeds returns what the choice reached at each size, for a profile: as it was
// compared with the untuned one, or in the races.
func (o *Outcome) Speeds() (all []Measured) {
	for i, p := range o.Sizes {
		m := Measured{M: p.M, N: p.N, K: p.K, Ratio: 1}
		for _, c := range o.Candidates {
			if c.Choice == o.Choice {
				m.GFLOPS = c.GFLOPS[i]
			}
		}
		if u := o.Untuned; u != nil && u.Rounds > 0 {
			m.GFLOPS, m.Ratio = u.GFLOPS[i], u.Ratios[i]
		}
		if m.GFLOPS > 0 {
			all = append(all, m)
		}
	}
	return all
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// challenger returns what the incumbent is compared with: the leader or, if the
// incumbent leads itself, the best of the others.
func (s *Search) challenger() *Candidate {
	if s.leader.Choice != s.Incumbent {
		return s.leader
	}
	for _, c := range s.ranking() {
		if c.Choice != s.Incumbent && c.Rounds >= minRounds {
			return c
		}
	}
	return nil
}
