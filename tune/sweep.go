package tune

import (
	"context"

	"matmul/tiling"
)

// A Sweep measures every point of a grid at every size.
type Sweep struct {
	Measure Measure
	Sizes   []tiling.Problem
	Points  []Choice
	Reps    int // of each product
}

// A Record is one finished point of a sweep at one size.
type Record struct {
	// Point is the place of the choice in the grid, and Size that of the
	// product in the list.
	Point   int       `json:"point"`
	Size    int       `json:"size"`
	M       int64     `json:"m"`
	N       int64     `json:"n"`
	K       int64     `json:"k"`
	Choice  Choice    `json:"choice"`
	Seconds []float64 `json:"seconds"`
	Median  float64   `json:"median_s"`
	GFLOPS  float64   `json:"gflops"`
	// Error is why there are no times; "" if there are.
	Error string `json:"error,omitempty"`
}

// Todo returns the number of records that a sweep makes in all.
func (s *Sweep) Todo() int { return len(s.Points) * len(s.Sizes) }

// Run measures what is not done yet and hands each record to emit. It returns
// ctx's error, or that of emit.
func (s *Sweep) Run(ctx context.Context, done func(point, size int) bool, emit func(Record) error) error {
	for i := range s.Sizes {
		for p := range s.Points {
			if done(p, i) {
				continue
			}
			r, err := s.record(ctx, p, i)
			if err != nil {
				return err
			}
			if err := emit(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// record measures one point at one size. A choice that cannot be is a record,
// too: it would fail again.
func (s *Sweep) record(ctx context.Context, point, size int) (Record, error) {
	p := s.Sizes[size]
	r := Record{Point: point, Size: size, M: p.M, N: p.N, K: p.K, Choice: s.Points[point]}
	for range s.Reps {
		t, err := s.Measure(ctx, p, r.Choice)
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		if err != nil {
			r.Error = err.Error()
			return r, nil
		}
		r.Seconds = append(r.Seconds, t)
	}
	r.Median = Median(r.Seconds)
	r.GFLOPS = p.Flops() / r.Median / 1e9
	return r, nil
}
