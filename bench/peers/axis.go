package main

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
)

// axis places sizes on the horizontal axis: square ones by n, or by its
// logarithm if they are far apart; others side by side.
type axis struct {
	sizes   []size
	numeric bool
	log     bool
}

// maxTicks is how many sizes find room below the axis.
const maxTicks = 12

func newAxis(sizes []size) *axis {
	a := &axis{sizes: slices.Clone(sizes), numeric: true}
	for _, s := range sizes {
		a.numeric = a.numeric && s.cube()
	}
	if a.numeric {
		slices.SortFunc(a.sizes, func(x, y size) int { return cmp.Compare(x.N, y.N) })
		a.sizes = slices.Compact(a.sizes)
		a.log = a.sizes[len(a.sizes)-1].N > 4*a.sizes[0].N
	}
	return a
}

func (a *axis) at(s size) float64 {
	switch {
	case a.log:
		return math.Log2(float64(s.N))
	case a.numeric:
		return float64(s.N)
	}
	return float64(slices.Index(a.sizes, s))
}

// label writes the axis's name, and the sizes below it.
func (a *axis) label(p *plot.Plot) {
	switch {
	case a.log:
		p.X.Label.Text = "n (rows and columns of A, B and C; logarithmic)"
	case a.numeric:
		p.X.Label.Text = "n (rows and columns of A, B and C)"
	default:
		p.X.Label.Text = "m×n×k (A is m×k, B is k×n, elements)"
	}
	var ticks []plot.Tick
	step := (len(a.sizes) + maxTicks - 1) / maxTicks
	for i, s := range a.sizes {
		t := plot.Tick{Value: a.at(s)}
		if i%step == 0 {
			t.Label = s.String()
		}
		ticks = append(ticks, t)
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	first, last := ticks[0].Value, ticks[len(ticks)-1].Value
	margin := max((last-first)/20, 0.1)
	if !a.numeric {
		margin = 0.5 // room for names
	}
	p.X.Min, p.X.Max = first-margin, last+margin
	if !a.numeric && len(a.sizes) > 5 {
		p.X.Tick.Label.Rotation = math.Pi / 8
		p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XRight, text.YTop
	}
}
