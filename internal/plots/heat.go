package plots

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A HeatMap shows a speed for each pair of two choices, as a colour and as a
// number. The colours go from the least value to the limit.
type HeatMap struct {
	Title, X, Y      string
	Columns, Rows    []string    // names of the values along X and Y
	Values           [][]float64 // GFLOP/s, by row and column; NaN where nothing was measured
	Limit            float64     // GFLOP/s
	BestRow, BestCol int         // the cell to frame; -1 for none
}

// cells gives a HeatMap's values to gonum's plotter.
type cells struct{ *HeatMap }

func (c cells) Dims() (cols, rows int) { return len(c.Columns), len(c.Rows) }
func (c cells) Z(col, row int) float64 { return c.Values[row][col] }
func (c cells) X(col int) float64      { return float64(col) }
func (c cells) Y(row int) float64      { return float64(row) }
func (h *HeatMap) least() (least float64) {
	least = math.Inf(1)
	for _, row := range h.Values {
		for _, v := range row {
			if finite(v) {
				least = math.Min(least, v)
			}
		}
	}
	return least
}

func (h *HeatMap) build() (*plot.Plot, *plot.Legend, error) {
	least := h.least()
	if !finite(least) {
		return nil, nil, errEmpty
	}
	p, legend := newPlot(h.Title, h.X, h.Y)
	// Neither black nor white, which are the page's and the numbers'.
	colours := shades(moreland.ExtendedBlackBody().Palette(256).Colors()[24:236])
	if len(h.Columns) > 1 && len(h.Rows) > 1 {
		heat := plotter.NewHeatMap(cells{h}, colours)
		heat.Min, heat.Max = least, math.Max(h.Limit, least*1.001)
		p.Add(heat)
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = names(h.Columns), names(h.Rows)
	p.X.Min, p.X.Max = -0.5, float64(len(h.Columns))-0.5
	p.Y.Min, p.Y.Max = -0.5, float64(len(h.Rows))-0.5
	if err := h.numbers(p, least); err != nil {
		return nil, nil, err
	}
	if err := h.frame(p, legend); err != nil {
		return nil, nil, err
	}
	for i := 10; i >= 0; i-- {
		v := least + (math.Max(h.Limit, least)-least)*float64(i)/10
		name := fmt.Sprintf("%.0f GFLOP/s", v)
		if i == 10 {
			name += ", the FMA limit"
		}
		legend.Add(name, swatch{colours[i*(len(colours)-1)/10]})
	}
	return p, legend, nil
}

// shades are colours as gonum wants them.
type shades []color.Color

// Colors implements palette.Palette.
func (s shades) Colors() []color.Color { return s }

// names are ticks at 0, 1, 2, …
func names(list []string) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for i, name := range list {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: name})
	}
	return ticks
}

// numbers writes each value into its cell, dark on light and light on dark.
func (h *HeatMap) numbers(p *plot.Plot, least float64) error {
	var labels plotter.XYLabels
	var bright []bool
	for row := range h.Rows {
		for col := range h.Columns {
			v := h.Values[row][col]
			if !finite(v) {
				continue
			}
			labels.XYs = append(labels.XYs, plotter.XY{X: float64(col), Y: float64(row)})
			labels.Labels = append(labels.Labels, fmt.Sprintf("%.1f", v))
			bright = append(bright, len(h.Columns) > 1 && len(h.Rows) > 1 && (v-least)/math.Max(h.Limit-least, 1e-9) < 0.55)
		}
	}
	l, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range l.TextStyle {
		l.TextStyle[i].XAlign, l.TextStyle[i].YAlign = text.XCenter, text.YCenter
		l.TextStyle[i].Font.Variant, l.TextStyle[i].Font.Size = "Sans", vg.Length(min(10, 110/max(len(h.Columns), 1)))
		if bright[i] {
			l.TextStyle[i].Color = color.White
		}
	}
	p.Add(l)
	return nil
}

// frame draws a frame around the best cell.
func (h *HeatMap) frame(p *plot.Plot, legend *plot.Legend) error {
	if h.BestCol < 0 || h.BestRow < 0 {
		return nil
	}
	x, y, d := float64(h.BestCol), float64(h.BestRow), 0.47
	line, err := plotter.NewLine(plotter.XYs{{X: x - d, Y: y - d}, {X: x + d, Y: y - d}, {X: x + d, Y: y + d}, {X: x - d, Y: y + d}, {X: x - d, Y: y - d}})
	if err != nil {
		return err
	}
	line.Color, line.Width = palette[1], vg.Points(2.5)
	p.Add(line)
	legend.Add("fastest", line)
	return nil
}

// swatch is a colour in a legend.
type swatch struct{ colour color.Color }

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(s.colour, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
}
