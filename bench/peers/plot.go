package main

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	plotWidth   = 24 * vg.Centimeter
	plotHeight  = 14 * vg.Centimeter
	legendWidth = 4 * vg.Centimeter
)

// palette is Okabe and Ito's, which people with impaired colour vision can tell
// apart; the first is matmul's.
var palette = []color.Color{
	color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
}

var glyphs = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}, draw.PlusGlyph{}, draw.CrossGlyph{},
}

// drawSVG draws GFLOP/s against size, with the FMA limit as the top line.
func drawSVG(file string, o *options, rows []row) error {
	p, legend, err := newPlot(o, rows)
	if err != nil {
		return err
	}
	c := vgsvg.New(plotWidth, plotHeight)
	page := draw.Crop(draw.New(c), 2*vg.Millimeter, -2*vg.Millimeter, 2*vg.Millimeter, -2*vg.Millimeter)
	p.Draw(draw.Crop(page, 0, -legendWidth, 0, 0))
	legend.Draw(draw.Crop(page, plotWidth-legendWidth, 0, 0, -12*vg.Millimeter)) // beside the data, not on it
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(f)
	return errors.Join(err, f.Close())
}

func newPlot(o *options, rows []row) (*plot.Plot, *plot.Legend, error) {
	p, legend := plot.New(), plot.NewLegend()
	legend.Top, legend.Left, legend.Padding = true, true, vg.Millimeter
	p.Title.Text = fmt.Sprintf("C = A·B, %s, %d worker(s) or threads", o.dtype, o.workers)
	p.Title.Padding = 2 * vg.Millimeter
	p.Y.Label.Text = "speed (GFLOP/s)"
	x := newAxis(o.sizes)
	x.label(p)
	p.Add(plotter.NewGrid())
	names, lines := collect(rows, x)
	top := 0.0
	for i, name := range names {
		if err := addLine(p, &legend, name, lines[name], i, x.numeric); err != nil {
			return nil, nil, err
		}
		for _, xy := range lines[name] {
			top = max(top, xy.Y)
		}
	}
	p.Y.Min, p.Y.Max = 0, 1.05*top
	return p, &legend, nil
}

// collect sorts the results into one line for each contender, after the limit.
func collect(rows []row, x *axis) (names []string, lines map[string]plotter.XYs) {
	names, lines = []string{nameLimit}, map[string]plotter.XYs{}
	for _, r := range rows {
		if !slices.Contains(names, r.Contender) {
			names = append(names, r.Contender)
		}
		lines[r.Contender] = append(lines[r.Contender], plotter.XY{X: x.at(r.size), Y: r.GFLOPS})
		if r.Contender == nameMatmul {
			lines[nameLimit] = append(lines[nameLimit], plotter.XY{X: x.at(r.size), Y: r.Limit})
		}
	}
	for _, l := range lines {
		slices.SortFunc(l, func(a, b plotter.XY) int { return int(math.Copysign(1, a.X-b.X)) })
	}
	return names, lines
}

// addLine draws a line with points. Points alone where positions mean nothing,
// except for the limit, which is the first.
func addLine(p *plot.Plot, legend *plot.Legend, name string, xy plotter.XYs, index int, connect bool) error {
	line, points, err := plotter.NewLinePoints(xy)
	if err != nil {
		return err
	}
	line.Width = vg.Points(1.5)
	if index == 0 {
		line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		p.Add(line)
		legend.Add(name, line)
		return nil
	}
	line.Color = palette[(index-1)%len(palette)]
	points.GlyphStyle = draw.GlyphStyle{Color: line.Color, Radius: vg.Points(3.5), Shape: glyphs[(index-1)%len(glyphs)]}
	if connect {
		p.Add(line, points)
		legend.Add(name, line, points)
		return nil
	}
	p.Add(points)
	legend.Add(name, points)
	return nil
}
