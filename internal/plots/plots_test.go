package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// all is one panel of each kind, with what measurements look like.
func all() []Panel {
	nan := math.NaN()
	return []Panel{
		&HeatMap{Title: "speed over tile × KC, n = 2048", X: "tile (rows × columns, elements)", Y: "KC (steps)",
			Columns: []string{"256", "512", "1024"}, Rows: []string{"128", "256"},
			Values: [][]float64{{71.2, 80, nan}, {90.1, 99.5, 104}}, Limit: 117.2, BestRow: 1, BestCol: 2},
		&Curves{Title: "speed against tile", X: "side (elements)", Y: "speed (GFLOP/s)", Limit: 117.2, LimitName: "FMA limit",
			Series: []Series{{"n = 1024", []Point{{64, 40}, {256, 80}, {1024, 100}}}, {"n = 2048", []Point{{64, 45}, {2048, 103}}}},
			Marks:  []Mark{{209, "level 2 is full"}, {836, "level 3 is full"}, {1e9, "outside"}}},
		&Roofline{Title: "roofline", X: "arithmetic intensity (flop per byte)", Limit: 117.2, Bandwidth: 20,
			Series: []Series{{"n = 1024", []Point{{20, 90}, {24, 100}}}, {"nothing", nil}}},
		&Messages{Title: "messages", Ways: []Message{
			{"mailbox", []Point{{64, 2e-7}, {4096, 1e-6}, {16 << 20, 3e-3}}, func(x float64) float64 { return 2e-7 + x/5e9 }},
			{"socket", []Point{{64, 2e-5}, {4096, 2.2e-5}, {16 << 20, 9e-3}}, func(x float64) float64 { return 2e-5 + x/2e9 }},
		}, Marks: []Mark{{10000, "x* = 10 kB"}}},
		&Timeline{Title: "what workers did", Seconds: 3, Lanes: []Lane{
			{"worker 0", "idle 4.2 %", []Span{{"pack A", 0, 0.5}, {"multiply", 0.5, 2.9}}},
			{"worker 1", "idle 99 %", []Span{{"thinking", 1, 1.01}}}}},
		&Bits{Title: "flips", Y: "found (%)", Bits: 32, Places: []Series{{"C", []Point{{0, 0}, {31, 99}}}, {"A", []Point{{0, 0}, {8, nan}, {31, 80}}}},
			All: Series{"all", []Point{{8, 100}, {31, 100}}}, Marks: []Mark{{23, "exponent"}}},
		&Steps{Title: "speed over time", Y: "speed (GFLOP/s)", Seconds: 3, Points: []Point{{0, 50}, {1, 100}, {3, 0}}, Limit: 117.2},
	}
}

func TestPagesAreWellFormedAndSayTheirUnits(t *testing.T) {
	var svg bytes.Buffer
	if err := Draw(&svg, ".svg", all()...); err != nil {
		t.Fatal(err)
	}
	text := svg.String()
	for _, want := range []string{"GFLOP/s", "FMA limit", "104.0", "level 2 is full", "flop per byte", "16 MiB", "100 µs", "x* = 10 kB", "fastest",
		"worker 0, idle 4.2 %", "thinking", "time (s)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, "outside") {
		t.Error("a mark outside of the axis is drawn")
	}
	d := xml.NewDecoder(&svg)
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	var image bytes.Buffer
	if err := Draw(&image, ".png", all()...); err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(&image); err != nil || c.Width < 1000 || c.Height < 2*c.Width {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestOneRowOrNothingAtAllIsNoReasonToPanic(t *testing.T) {
	one := &HeatMap{Columns: []string{"1"}, Rows: []string{"1"}, Values: [][]float64{{5}}, Limit: 9, BestRow: -1}
	if err := Draw(io.Discard, ".svg", one); err != nil {
		t.Error(err)
	}
	for what, p := range map[string]Panel{
		"heat map": &HeatMap{Columns: []string{"1"}, Rows: []string{"1"}, Values: [][]float64{{math.NaN()}}},
		"curves":   &Curves{Series: []Series{{"a", nil}}}, "roofline": &Roofline{}, "messages": &Messages{},
		"timeline": &Timeline{Seconds: 1}, "timeline of no time": &Timeline{Lanes: []Lane{{}}}, "steps": &Steps{Seconds: 1},
	} {
		if err := Draw(io.Discard, ".svg", p); !errors.Is(err, errEmpty) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAPageAppearsWhenItIsComplete(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.svg")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(&Roofline{}); err == nil {
		t.Error("nothing was drawn, without an error")
	}
	f.Abort()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
	if f, err = Create(path); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(all()[0]); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	if left, _ := os.ReadDir(dir); len(left) != 1 || left[0].Name() != "a.svg" {
		t.Errorf("left are %v", left)
	}
}

func TestPlacesForNoPage(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "d.svg"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"a.pdf", "a", "", filepath.Join(dir, "no/a.svg"), filepath.Join(dir, "d.svg")} {
		if f, err := Create(path); err == nil {
			f.Abort()
			t.Errorf("%q was created", path)
		}
	}
}

// TestALaneOfVeryManySpansKeepsItsTimes: what is drawn of it is bounded, and
// covers as much time as the spans do.
func TestALaneOfVeryManySpansKeepsItsTimes(t *testing.T) {
	var lane Lane
	const n, seconds = 200000, 20.0
	busy := 0.0
	for i := range n {
		from := seconds * float64(i) / n
		s := Span{[]string{"multiply", "store"}[i/1000%2], from, from + seconds/n*float64(i%4)/4}
		lane.Spans = append(lane.Spans, s)
		busy += s.To - s.From
	}
	blocks := lane.blocks(seconds)
	drawn, last := 0.0, 0.0
	for _, b := range blocks {
		if b.From < last || b.To <= b.From || b.busy <= 0 || b.busy > 1 {
			t.Fatalf("%+v after %v", b, last)
		}
		last = b.To
		drawn += (b.To - b.From) * b.busy
	}
	if len(blocks) > mostBlocks || math.Abs(drawn-busy) > 0.02*busy {
		t.Errorf("%d blocks cover %v s of %v", len(blocks), drawn, busy)
	}
	many := &Timeline{Seconds: seconds}
	for range 300 {
		many.Lanes = append(many.Lanes, lane)
	}
	if err := Draw(io.Discard, ".png", many); err != nil {
		t.Error(err)
	}
}
