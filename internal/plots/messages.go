package plots

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// A Message is what one way of handing data over takes.
type Message struct {
	Name     string
	Measured []Point               // bytes, seconds
	Model    func(float64) float64 // seconds for bytes
}

// Messages shows measured times and the lines that models draw through them, on
// logarithmic axes, with marks where two ways cost the same.
type Messages struct {
	Title string
	Ways  []Message
	Marks []Mark
}

func (m *Messages) build() (*plot.Plot, *plot.Legend, error) {
	var all []Series
	for _, w := range m.Ways {
		all = append(all, Series{Points: w.Measured})
	}
	lo, hi := span(all, func(p Point) float64 { return p.X })
	fast, slow := span(all, func(p Point) float64 { return p.Y })
	if !(lo > 0) || !(fast > 0) || !finite(hi) {
		return nil, nil, errEmpty
	}
	p, legend := newPlot(m.Title, "message (bytes, logarithmic)", "time on its way (logarithmic)")
	p.Add(plotter.NewGrid())
	for i, w := range m.Ways {
		if err := addPoints(p, legend, w.Name, logarithms(w.Measured), i); err != nil {
			return nil, nil, err
		}
		var line []Point
		for x := lo; x <= hi*1.01; x *= math.Sqrt2 {
			line = append(line, Point{x, w.Model(x)})
		}
		if err := addLine(p, legend, "  σ + x/B", logarithms(line), i, nil); err != nil {
			return nil, nil, err
		}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = exponents{powers{2, bytesText}}, exponents{powers{10, secondsText}}
	p.X.Min, p.X.Max = math.Log2(lo)-0.4, math.Log2(hi)+0.4
	p.Y.Min, p.Y.Max = math.Log10(fast)-0.3, math.Log10(slow)+0.3
	var marks []Mark
	for _, mark := range m.Marks {
		marks = append(marks, Mark{math.Log2(mark.At), mark.Name})
	}
	return p, legend, addMarks(p, legend, marks)
}

// logarithms are what is drawn in place of bytes and seconds, on axes that are
// linear in them: on those of plot.LogScale gonum keeps room for an axis's label
// where it would stand if they were linear.
func logarithms(points []Point) (xy plotter.XYs) {
	for _, p := range points {
		if p.X > 0 && p.Y > 0 {
			xy = append(xy, plotter.XY{X: math.Log2(p.X), Y: math.Log10(p.Y)})
		}
	}
	return xy
}

// exponents are ticks of powers on an axis of their logarithms.
type exponents struct{ powers }

// Ticks implements plot.Ticker.
func (t exponents) Ticks(lo, hi float64) []plot.Tick {
	ticks := t.powers.Ticks(math.Pow(t.base, lo), math.Pow(t.base, hi))
	for i := range ticks {
		ticks[i].Value = math.Log(ticks[i].Value) / math.Log(t.base)
	}
	return ticks
}
