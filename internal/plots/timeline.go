package plots

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Timeline shows what each of several workers did when, one lane for each,
// from the top down.
type Timeline struct {
	Title   string
	Seconds float64 // the time axis goes from 0 to this
	Lanes   []Lane
}

// A Lane is what one worker did. The note stands behind its name.
type Lane struct {
	Name, Note string
	Spans      []Span // in the order of their times, without overlaps
}

// A Span is a time in which a worker did something, in seconds.
type Span struct {
	Kind     string
	From, To float64
}

// kindColours are indices in the palette of the kinds of tasks that are usual.
var kindColours = map[string]int{"multiply": 1, "pack A": 4, "pack B": 0, "load C0": 3, "store": 2}

func (t *Timeline) build() (*plot.Plot, *plot.Legend, error) {
	if !(t.Seconds > 0) || !finite(t.Seconds) || len(t.Lanes) == 0 {
		return nil, nil, errEmpty
	}
	p, legend := newPlot(t.Title, "time (s)", "")
	lanes := &lanes{Timeline: t, colours: map[string]color.Color{}}
	for _, kind := range t.kinds() {
		i, usual := kindColours[kind]
		if !usual {
			i = len(palette) - 1
		}
		lanes.colours[kind] = palette[i]
		legend.Add(kind, swatch{palette[i]})
	}
	legend.Add("idle", swatch{idleColour})
	p.Add(lanes)
	p.X.Min, p.X.Max = 0, t.Seconds
	p.Y.Min, p.Y.Max = -0.6, float64(len(t.Lanes))-0.4
	every := (len(t.Lanes) + mostNames - 1) / mostNames
	var ticks plot.ConstantTicks
	for i, lane := range t.Lanes {
		if i%every == 0 {
			ticks = append(ticks, plot.Tick{Value: t.at(i), Label: lane.Name + ", " + lane.Note})
		}
	}
	p.Y.Tick.Marker = ticks
	// Room between the names and the lanes, without an axis in it.
	p.Y.LineStyle.Color, p.Y.Tick.LineStyle.Color, p.Y.Tick.Length = color.Transparent, color.Transparent, 4*vg.Millimeter
	p.Y.Tick.Label.Font.Size = vg.Length(math.Min(10, 300/float64(len(ticks))))
	return p, legend, nil
}

// mostNames is how many lanes can have their names beside them.
const mostNames = 50

// at returns the middle of a lane on the vertical axis.
func (t *Timeline) at(lane int) float64 { return float64(len(t.Lanes) - 1 - lane) }

// kinds returns the kinds of spans in the order in which they first occur in
// any lane.
func (t *Timeline) kinds() (kinds []string) {
	for _, lane := range t.Lanes {
		for _, s := range lane.Spans {
			if !slices.Contains(kinds, s.Kind) {
				kinds = append(kinds, s.Kind)
			}
		}
	}
	return kinds
}

// lanes draws the spans.
type lanes struct {
	*Timeline
	colours map[string]color.Color
}

var idleColour = color.Gray{0xe4}

// Plot implements plot.Plotter.
func (l *lanes) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	box := func(colour color.Color, lane int, from, to, height float64) {
		low := l.at(lane) - laneHeight/2
		x0, x1, y0, y1 := x(from), x(to), y(low), y(low+laneHeight*height)
		if x1-x0 > 6*edge {
			x0 += edge // so that it can be told from the one before
		}
		c.FillPolygon(colour, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
	}
	for i, lane := range l.Lanes {
		box(idleColour, i, 0, l.Seconds, 1)
		for _, b := range lane.blocks(l.Seconds) {
			box(l.colours[b.Kind], i, b.From, b.To, b.busy)
		}
	}
}

const (
	laneHeight = 0.8
	edge       = vg.Length(0.6)
	mostBlocks = 1000 // of a lane: more than a page has dots across
)

// A block is a part of a lane that is drawn as one: a span, or, where there are
// too many, what was done for longest in a short time, as high as the part of
// that time in which anything was done.
type block struct {
	Span
	busy float64 // 0 to 1
}

func (l *Lane) blocks(seconds float64) (bs []block) {
	if len(l.Spans) <= mostBlocks {
		for _, s := range l.Spans {
			bs = append(bs, block{s, 1})
		}
		return bs
	}
	width := seconds / mostBlocks
	times := make([]map[string]float64, mostBlocks)
	for _, s := range l.Spans {
		first, last := int(s.From/width), int(s.To/width)
		for i := max(first, 0); i <= min(last, mostBlocks-1); i++ {
			if times[i] == nil {
				times[i] = map[string]float64{}
			}
			times[i][s.Kind] += math.Max(math.Min(s.To, float64(i+1)*width)-math.Max(s.From, float64(i)*width), 0)
		}
	}
	for i, kinds := range times {
		b := block{Span: Span{From: float64(i) * width, To: float64(i+1) * width}}
		most := 0.0
		for kind, t := range kinds {
			b.busy += t / width
			if t > most || t == most && kind < b.Kind {
				most, b.Kind = t, kind
			}
		}
		if n := len(bs); most > 0 && n > 0 && bs[n-1].Kind == b.Kind && bs[n-1].To == b.From && math.Abs(bs[n-1].busy-b.busy) < 0.02 {
			bs[n-1].To = b.To
		} else if most > 0 {
			b.busy = math.Min(b.busy, 1)
			bs = append(bs, b)
		}
	}
	return bs
}

// Steps show a speed that is constant from one point to the next, over time,
// and the limit, if it is known.
type Steps struct {
	Title, Y string
	Seconds  float64 // the time axis goes from 0 to this
	Points   []Point
	Limit    float64
}

func (s *Steps) build() (*plot.Plot, *plot.Legend, error) {
	if !(s.Seconds > 0) || len(s.Points) == 0 {
		return nil, nil, errEmpty
	}
	p, legend := newPlot(s.Title, "time (s)", s.Y)
	p.Add(plotter.NewGrid())
	var line plotter.XYs
	high := s.Limit
	for _, v := range thinned(s.Points, mostBlocks) {
		if n := len(line); n > 0 {
			line = append(line, plotter.XY{X: v.X, Y: line[n-1].Y})
		}
		line = append(line, plotter.XY(v))
		high = math.Max(high, v.Y)
	}
	if err := addLine(p, legend, "all workers", line, 1, nil); err != nil {
		return nil, nil, err
	}
	if s.Limit > 0 {
		if err := addLimit(p, legend, "FMA limit", plotter.XYs{{X: 0, Y: s.Limit}, {X: s.Seconds, Y: s.Limit}}); err != nil {
			return nil, nil, err
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, s.Seconds, 0, math.Max(high, 1e-9)*1.08
	return p, legend, nil
}

// thinned returns at most most points: averages of neighbours.
func thinned(points []Point, most int) []Point {
	group := (len(points) + most - 1) / most
	if group <= 1 {
		return points
	}
	var thin []Point
	for part := range slices.Chunk(points, group) {
		sum := 0.0
		for _, v := range part {
			sum += v.Y
		}
		thin = append(thin, Point{part[0].X, sum / float64(len(part))})
	}
	return thin
}
