package tune

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"matmul/internal/gemm"
	"matmul/tiling"
)

// A Search looks for the best choice within a time. Who calls it supplies the
// measuring, so that nothing here knows of processes or memory.
type Search struct {
	Measure Measure
	// Sizes are the products that count alike, cheapest first. With one alone
	// the choice may suit no other.
	Sizes []tiling.Problem
	// Kernels are the kernels to try, the usual one first.
	Kernels []*gemm.Kernel
	// Share and Levels are what a worker has of the caches, for the models.
	Share  CacheSizes
	Levels [3]Level
	// Incumbent is what is to be beaten: the stored choice, or the untuned one.
	Incumbent Choice
	// Found is what an earlier search was about to confirm, or nil.
	Found *Choice
	// Grid, if not nil, are the candidates, in place of what the models say.
	Grid   []Choice
	Budget time.Duration
	// Progress is told how much of the budget is used, and of the best so far.
	Progress func(used time.Duration, best Candidate)
	// Now is the clock; nil for the real one.
	Now func() time.Time

	start  time.Time
	tried  []*Candidate
	leader *Candidate
	costs  []time.Duration // of one product of each size
}

// The parts of the budget by the end of which each stage is over.
const (
	untilBlocks = 0.36
	untilRefine = 0.47
	untilTiles  = 0.57
	untilPool   = 0.63
)

// Run searches. When ctx ends it returns what it has by then, with the
// context's error; no other error leaves an outcome.
func (s *Search) Run(ctx context.Context) (*Outcome, error) {
	if s.Now == nil {
		s.Now = time.Now
	}
	s.start = s.Now()
	o := &Outcome{Sizes: s.Sizes, Choice: s.Incumbent}
	s.leader = s.candidate(s.Incumbent, "incumbent")
	err := s.stages(ctx, o)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	if best := s.leader.Choice; err != nil && best != s.Incumbent && !o.Replaced {
		o.Found = &best
	}
	o.Candidates = s.ranking()
	return o, err
}

func (s *Search) stages(ctx context.Context, o *Outcome) error {
	if err := s.warmUp(ctx); err != nil {
		return err
	}
	type stage struct {
		until float64
		arms  func(best Choice) []Candidate
	}
	stages := []stage{{untilBlocks, s.blocks}, {untilRefine, s.refined}, {untilTiles, s.tiles}, {untilPool, s.pools}}
	if s.Grid != nil {
		stages = []stage{{untilPool, s.grid}}
	}
	for _, st := range stages {
		if err := s.race(ctx, s.fraction(st.until), st.arms(s.leader.Choice)); err != nil {
			return err
		}
	}
	return s.confirm(ctx, o)
}

// fraction returns the moment when so much of the budget is used.
func (s *Search) fraction(f float64) time.Time {
	return s.start.Add(time.Duration(f * float64(s.Budget)))
}

// warmUp does each product once, to have its memory present and to know what
// it costs.
func (s *Search) warmUp(ctx context.Context) error {
	s.costs = nil
	for _, p := range s.Sizes {
		seconds, err := s.Measure(ctx, p, s.Incumbent)
		if err != nil {
			return firstOf(context.Cause(ctx), fmt.Errorf("measure the incumbent: %w", err))
		}
		s.costs = append(s.costs, max(time.Duration(seconds*float64(time.Second)), 1))
	}
	return nil
}

// race races the leader, the incumbent and what a stage proposes.
func (s *Search) race(ctx context.Context, end time.Time, proposed []Candidate) error {
	arms, left := s.line(proposed), end.Sub(s.Now())
	arms = arms[:enough(len(arms), s.cheapest(), left)]
	if len(arms) == 1 || left <= 0 {
		return nil
	}
	r := &race{
		measure: s.Measure, arms: arms, now: s.Now, end: end, maxRounds: 12,
		shuffle: rand.New(rand.NewPCG(1, uint64(len(s.tried)))), report: s.progress,
	}
	r.indices = s.affordable(len(arms), left)
	for _, i := range r.indices {
		r.sizes = append(r.sizes, s.Sizes[i])
	}
	err := r.run(ctx)
	if best := r.best(); len(best.logs) >= minRounds {
		s.leader = best // what ran less often is not to be believed
	}
	return err
}

// enough returns how many of the arms, of which the first are the most
// promising, can race in a time: halved again and again until few are left,
// each step takes as long as the first.
func enough(arms int, round, d time.Duration) int {
	n := arms
	for n > 4 && time.Duration(float64(n)*math.Log2(float64(n)))*round > d {
		n--
	}
	return n
}

// line returns the arms of a race: the incumbent, the leader and what is
// proposed, each choice once, with what earlier races said of them forgotten.
func (s *Search) line(proposed []Candidate) []*Candidate {
	arms := []*Candidate{s.candidate(s.Incumbent, "incumbent")}
	for _, p := range append([]Candidate{*s.leader}, proposed...) {
		if !slices.ContainsFunc(arms, func(a *Candidate) bool { return a.Choice == p.Choice }) {
			arms = append(arms, s.candidate(p.Choice, p.Why))
		}
	}
	return arms
}

// candidate returns the record of a choice, a new one or that of earlier races
// with nothing held against it.
func (s *Search) candidate(c Choice, why string) *Candidate {
	i := slices.IndexFunc(s.tried, func(a *Candidate) bool { return a.Choice == c })
	if i < 0 {
		s.tried = append(s.tried, &Candidate{Choice: c, Why: why, seconds: make([][]float64, len(s.Sizes))})
		i = len(s.tried) - 1
	}
	s.tried[i].Out, s.tried[i].logs = "", nil
	return s.tried[i]
}

// affordable returns the sizes of which so many arms can run a few rounds in a
// time: at least the two cheapest, so that none suits one size alone.
func (s *Search) affordable(arms int, d time.Duration) (indices []int) {
	const rounds = 6
	var sum time.Duration
	for i, cost := range s.costs {
		sum += cost * time.Duration(arms)
		if i >= 2 && sum*rounds/2 > d {
			break
		}
		indices = append(indices, i)
	}
	return indices
}

// cheapest is what one arm takes for a round of the two cheapest sizes.
func (s *Search) cheapest() (d time.Duration) {
	for _, cost := range s.costs[:min(2, len(s.costs))] {
		d += cost
	}
	return d
}
