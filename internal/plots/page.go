package plots

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A Panel is one plot of a page.
type Panel interface {
	// build returns the plot, and its legend, which stands beside it.
	build() (*plot.Plot, *plot.Legend, error)
}

// The sizes of a page, and the resolution of a PNG.
const (
	panelWidth  = 25 * vg.Centimeter
	panelHeight = 13 * vg.Centimeter
	legendWidth = 6.2 * vg.Centimeter
	margin      = 4 * vg.Millimeter
	dpi         = 110
)

// A File is the file that a page goes to. It appears under its name, or takes
// the place of what is there, when it is complete.
type File struct {
	path string
	part *os.File
}

// Create makes sure that a page can be written, before it costs time to measure
// what is to be drawn. The name ends in .svg or .png.
func Create(path string) (*File, error) {
	if err := CheckName(path); err != nil {
		return nil, err
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	part, err := os.CreateTemp(filepath.Dir(path), ".matmul-*.part")
	if err != nil {
		return nil, err
	}
	return &File{path, part}, nil
}

// CheckName returns an error unless the name is that of a page.
func CheckName(path string) error {
	if ext := extension(path); ext != ".svg" && ext != ".png" {
		return errors.New("want a name that ends in .svg or .png")
	}
	return nil
}

func extension(path string) string { return strings.ToLower(filepath.Ext(path)) }

// Abort removes the file again, unless it was written. A nil File is none.
func (f *File) Abort() {
	if f != nil && f.part != nil {
		f.part.Close()
		os.Remove(f.part.Name())
	}
}

// Write draws the panels below each other and gives the file its name.
func (f *File) Write(panels ...Panel) error {
	w := bufio.NewWriter(f.part)
	err := Draw(w, extension(f.path), panels...)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.part.Chmod(0o644)
	}
	if err == nil {
		err = os.Rename(f.part.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("draw %s: %w", f.path, err)
	}
	err = f.part.Close()
	f.part = nil
	return err
}

// Draw draws the panels below each other, as ".svg" or ".png".
func Draw(w io.Writer, format string, panels ...Panel) error {
	height := vg.Length(len(panels)) * panelHeight
	if format == ".png" {
		c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(panelWidth, height), vgimg.UseDPI(dpi))}
		return drawOn(c, height, w, panels)
	}
	return drawOn(vgsvg.New(panelWidth, height), height, w, panels)
}

// canvas is what can be drawn on and written.
type canvas interface {
	vg.CanvasSizer
	io.WriterTo
}

func drawOn(c canvas, height vg.Length, w io.Writer, panels []Panel) error {
	page := draw.New(c)
	for i, panel := range panels {
		p, legend, err := panel.build()
		if err != nil {
			return err
		}
		top := vg.Length(i) * panelHeight
		area := draw.Crop(page, margin, -margin, height-top-panelHeight+margin, -top-margin)
		p.Draw(draw.Crop(area, 0, -legendWidth, 0, 0))
		legend.Draw(draw.Crop(area, panelWidth-2*margin-legendWidth+2*vg.Millimeter, 0, 0, -8*vg.Millimeter))
	}
	_, err := c.WriteTo(w)
	return err
}

// newPlot returns a plot with the fonts of this package.
func newPlot(title, x, y string) (*plot.Plot, *plot.Legend) {
	p, legend := plot.New(), plot.NewLegend()
	for _, style := range []*font.Font{
		&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &legend.TextStyle.Font,
	} {
		style.Variant = "Sans"
	}
	p.Title.TextStyle.Font.Size, legend.TextStyle.Font.Size = 13, 9.5
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = 3 * vg.Millimeter
	legend.Top, legend.Left, legend.Padding = true, true, 1.5*vg.Millimeter
	return p, &legend
}

// finite reports whether a value can be drawn.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// errEmpty is returned for a plot without a value.
var errEmpty = errors.New("nothing to draw")
