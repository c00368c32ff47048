package plots

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// A Point is one measurement.
type Point struct{ X, Y float64 }

// A Series is the points of one line, by X.
type Series struct {
	Name   string
	Points []Point
}

// Curves show speed against a size, with marks where caches are full or a model
// sees the best, and the limit.
type Curves struct {
	Title, X, Y string
	Series      []Series
	Marks       []Mark
	Limit       float64 // GFLOP/s
	LimitName   string
}

func (c *Curves) build() (*plot.Plot, *plot.Legend, error) {
	lo, hi := span(c.Series, func(p Point) float64 { return p.X })
	if !(lo > 0) || !finite(hi) {
		return nil, nil, errEmpty
	}
	p, legend := newPlot(c.Title, c.X, c.Y)
	p.Add(plotter.NewGrid())
	lo, hi = lo/1.15, hi*1.15
	if err := addLimit(p, legend, c.LimitName, plotter.XYs{{X: lo, Y: c.Limit}, {X: hi, Y: c.Limit}}); err != nil {
		return nil, nil, err
	}
	for i, s := range c.Series {
		xy := xys(s.Points)
		if len(xy) == 0 {
			continue
		}
		if err := addLine(p, legend, "", xy, i, nil); err != nil {
			return nil, nil, err
		}
		if err := addPoints(p, legend, s.Name, xy, i); err != nil {
			return nil, nil, err
		}
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, powers{2, numberText}
	p.X.Min, p.X.Max = lo, hi
	p.Y.Min, p.Y.Max = 0, c.Limit*1.08
	return p, legend, addMarks(p, legend, c.Marks)
}

// span returns the least and the greatest of a coordinate.
func span(all []Series, of func(Point) float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, s := range all {
		for _, p := range s.Points {
			if finite(p.X) && finite(p.Y) {
				lo, hi = math.Min(lo, of(p)), math.Max(hi, of(p))
			}
		}
	}
	return lo, hi
}

func xys(points []Point) (xy plotter.XYs) {
	for _, p := range points {
		if finite(p.X) && finite(p.Y) {
			xy = append(xy, plotter.XY(p))
		}
	}
	return xy
}
