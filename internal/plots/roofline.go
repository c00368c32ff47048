package plots

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// A Roofline shows speeds against arithmetic intensity, flop per byte that is
// moved, under the two limits of the machine: what its units compute and what
// its memory delivers (Williams, Waterman and Patterson, CACM 52(4), 2009).
type Roofline struct {
	Title     string
	X         string  // what the bytes are
	Limit     float64 // GFLOP/s
	Bandwidth float64 // GB/s
	Series    []Series
}

func (r *Roofline) build() (*plot.Plot, *plot.Legend, error) {
	lo, hi := span(r.Series, func(p Point) float64 { return p.X })
	low, _ := span(r.Series, func(p Point) float64 { return p.Y })
	if !(lo > 0) || !finite(hi) || !(low > 0) || !(r.Bandwidth > 0) {
		return nil, nil, errEmpty
	}
	p, legend := newPlot(r.Title, r.X, "speed (GFLOP/s, logarithmic)")
	p.Add(plotter.NewGrid())
	ridge := r.Limit / r.Bandwidth
	lo, hi = math.Min(lo, ridge)/2, math.Max(hi, ridge)*2
	low = math.Min(low, lo*r.Bandwidth) / 1.3
	err := addLimit(p, legend, "limit: FMA units, memory", plotter.XYs{{X: lo, Y: lo * r.Bandwidth}, {X: ridge, Y: r.Limit}, {X: hi, Y: r.Limit}})
	if err != nil {
		return nil, nil, err
	}
	for i, s := range r.Series {
		if xy := xys(s.Points); len(xy) > 0 {
			if err := addPoints(p, legend, s.Name, xy, i); err != nil {
				return nil, nil, err
			}
		}
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, powers{2, numberText}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, powers{2, numberText}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = lo, hi, low, r.Limit*1.5
	return p, legend, nil
}
