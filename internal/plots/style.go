package plots

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// palette is Okabe and Ito's, which people with impaired colour vision can tell
// apart.
var palette = []color.Color{
	color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
}

var glyphs = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}, draw.PlusGlyph{}, draw.CrossGlyph{},
}

var dashed = []vg.Length{vg.Points(5), vg.Points(3)}

// addPoints draws points, each kind in a colour and shape of its own.
func addPoints(p *plot.Plot, legend *plot.Legend, name string, xy plotter.XYs, kind int) error {
	points, err := plotter.NewScatter(xy)
	if err != nil {
		return err
	}
	points.GlyphStyle = draw.GlyphStyle{Color: palette[kind%len(palette)], Radius: vg.Points(3), Shape: glyphs[kind%len(glyphs)]}
	p.Add(points)
	if name != "" {
		legend.Add(name, points)
	}
	return nil
}

// addLine draws a line in a colour of its own.
func addLine(p *plot.Plot, legend *plot.Legend, name string, xy plotter.XYs, kind int, dashes []vg.Length) error {
	line, err := plotter.NewLine(xy)
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = palette[kind%len(palette)], vg.Points(1.5), dashes
	p.Add(line)
	if name != "" {
		legend.Add(name, line)
	}
	return nil
}

// addLimit draws the limit, black and dashed.
func addLimit(p *plot.Plot, legend *plot.Legend, name string, xy plotter.XYs) error {
	line, err := plotter.NewLine(xy)
	if err != nil {
		return err
	}
	line.Width, line.Dashes = vg.Points(1.8), dashed
	p.Add(line)
	legend.Add(name, line)
	return nil
}

// A Mark is a place on the horizontal axis that means something.
type Mark struct {
	At   float64
	Name string
}

// addMarks draws vertical lines over the height of the plot, told apart by their
// dashes.
func addMarks(p *plot.Plot, legend *plot.Legend, marks []Mark) error {
	for i, m := range marks {
		if m.At < p.X.Min || m.At > p.X.Max || !finite(m.At) {
			continue
		}
		line, err := plotter.NewLine(plotter.XYs{{X: m.At, Y: p.Y.Min}, {X: m.At, Y: p.Y.Max}})
		if err != nil {
			return err
		}
		line.Color = color.Gray{0x60}
		line.Width = vg.Points(1)
		line.Dashes = [][]vg.Length{nil, {vg.Points(6), vg.Points(2)}, {vg.Points(2), vg.Points(2)}, {vg.Points(8), vg.Points(2), vg.Points(2), vg.Points(2)}}[i%4]
		p.Add(line)
		legend.Add(m.Name, line)
	}
	return nil
}

// powers are ticks at powers of two, or of ten.
type powers struct {
	base float64
	text func(float64) string
}

// Ticks implements plot.Ticker.
func (t powers) Ticks(lo, hi float64) (ticks []plot.Tick) {
	first := math.Ceil(math.Log(lo)/math.Log(t.base) - 1e-9)
	last := math.Floor(math.Log(hi)/math.Log(t.base) + 1e-9)
	const most = 12
	step := math.Max(1, math.Ceil((last-first)/most))
	for e := first; e <= last; e++ {
		tick := plot.Tick{Value: math.Pow(t.base, e)}
		if math.Mod(e-first, step) == 0 {
			tick.Label = t.text(tick.Value)
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// bytesText writes a power of two of bytes.
func bytesText(v float64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if v >= u.size {
			return fmt.Sprintf("%g %s", v/u.size, u.unit)
		}
	}
	return fmt.Sprintf("%g B", v)
}

// secondsText writes a power of ten of seconds.
func secondsText(v float64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}} {
		if v >= u.size*0.999 {
			return fmt.Sprintf("%.4g %s", v/u.size, u.unit)
		}
	}
	return fmt.Sprintf("%.4g ns", v*1e9)
}

func numberText(v float64) string { return fmt.Sprintf("%.4g", v) }
