package plots

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// Bits show what flips of each bit of a number do, in percent, against the bit,
// with marks where its fields begin. A black line is what all places have in
// common.
type Bits struct {
	Title, Y string
	Bits     int // of the number
	Places   []Series
	All      Series
	Marks    []Mark
}

func (b *Bits) build() (*plot.Plot, *plot.Legend, error) {
	p, legend := newPlot(b.Title, "bit (0 is the lowest of the mantissa)", b.Y)
	p.Add(plotter.NewGrid())
	for i, s := range b.Places {
		xy := xys(s.Points)
		if len(xy) == 0 {
			return nil, nil, errEmpty
		}
		if err := addLine(p, legend, "", xy, i, nil); err != nil {
			return nil, nil, err
		}
		if err := addPoints(p, legend, s.Name, xy, i); err != nil {
			return nil, nil, err
		}
	}
	if err := addLimit(p, legend, b.All.Name, xys(b.All.Points)); err != nil {
		return nil, nil, err
	}
	var ticks plot.ConstantTicks
	for bit := 0; bit <= b.Bits; bit += b.Bits / 8 {
		ticks = append(ticks, plot.Tick{Value: float64(bit), Label: numberText(float64(bit))})
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max = -1, float64(b.Bits)
	p.Y.Min, p.Y.Max = 0, 105
	return p, legend, addMarks(p, legend, b.Marks)
}
