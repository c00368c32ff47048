package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cheggaaa/pb/v3"

	"matmul/master"
	"matmul/shmmat"
	"matmul/worker"
)

// TestWithoutATerminalThereIsALineEveryTenSecondsOrTenth shows a minute and a
// half of work that gets faster.
func TestWithoutATerminalThereIsALineEveryTenSecondsOrTenth(t *testing.T) {
	var out bytes.Buffer
	begin := time.Now()
	d := &display{w: &out, askLimit: func() float64 { return 100 }}
	m := &meter{d: d, name: "multiply", begin: begin}
	other := &meter{d: d, name: "a job of it", begin: begin}
	d.meters = []*meter{m, other}
	for s := range 91 {
		done := int64(s)
		if s > 60 {
			done = min(60+int64(s-60)*20, 200)
		}
		m.count(done, 200, "tiles")
		m.computed(float64(s) * 50e9)
		d.show(d.meters, begin.Add(time.Duration(s)*time.Second))
	}
	const want = `multiply: 5 % after 10s, 10/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 3m10s left
multiply: 10 % after 20s, 20/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 3m0s left
multiply: 15 % after 30s, 30/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 2m50s left
multiply: 20 % after 40s, 40/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 2m40s left
multiply: 25 % after 50s, 50/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 2m30s left
multiply: 30 % after 1m0s, 60/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 2m20s left
multiply: 40 % after 1m1s, 80/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 1m32s left
multiply: 50 % after 1m2s, 100/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 1m2s left
multiply: 60 % after 1m3s, 120/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 42s left
multiply: 70 % after 1m4s, 140/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 27s left
multiply: 80 % after 1m5s, 160/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 16s left
multiply: 90 % after 1m6s, 180/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit), 7.3s left
multiply: 100 % after 1m7s, 200/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit)
multiply: 100 % after 1m17s, 200/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit)
multiply: 100 % after 1m27s, 200/200 tiles, 50.0 GFLOP/s (50 % of the FMA limit)
`
	if got := out.String(); got != want {
		t.Errorf("the lines are\n%swant\n%s", got, want)
	}
}

func TestWorkThatIsOverSoonShowsNothing(t *testing.T) {
	for _, bars := range []bool{false, true} {
		var out bytes.Buffer
		p := progress{&display{w: &out, bars: bars}}
		m := p.start("quick", func(*meter) { t.Error("it was asked for its state") })
		m.set(1, 2)
		p.d.show([]*meter{m}, m.begin.Add(patience-1))
		m.end()
		if out.Len() > 0 {
			t.Errorf("bars %v: shown is %q", bars, out.String())
		}
	}
	m := progress{}.start("never shown", nil)
	m.set(1, 2)
	m.end()
}

// looks are those of a batch with three jobs.
func batchLooks() []glance {
	return []glance{
		{name: "all", done: 123, total: 300, count: "123/300 jobs", gflops: 104.24, left: "1h12m0s left"},
		{name: "reports/2026-11/covariance-of-everything.npy", done: 31, total: 2700, count: "31/2700 tiles", gflops: 93.1, left: "10s left"},
		{name: "Größe", done: 9, total: 10, count: "9/10 tiles", gflops: 1.04, left: "0s left"},
		{name: "c, reading", total: 0},
	}
}

func TestBarsStandBelowEachOtherAtEveryWidth(t *testing.T) {
	d := &display{limit: 118}
	for width := 30; width <= 250; width++ {
		lines := d.layOut(batchLooks(), width)
		open := -1
		for i, line := range lines {
			if n := pb.CellCount(line); n > width {
				t.Errorf("width %d, line %d is %d wide: %q", width, i, n, line)
			}
			at := pb.CellCount(line[:strings.Index(line, "[")])
			if open >= 0 && at != open {
				t.Errorf("width %d, line %d: its bar begins at %d, that above at %d:\n%s", width, i, at, open, strings.Join(lines, "\n"))
			}
			open = at
			if !strings.Contains(line, " %") {
				t.Errorf("width %d, line %d has no per cent: %q", width, i, line)
			}
		}
	}
	wide := d.layOut(batchLooks(), 160)
	for i, want := range []string{`^all +\[=+> +\] 41 %  +123/300 jobs  104.2 GFLOP/s \(88 % of the FMA limit\)  1h12m0s left$`,
		`^reports/2026-11/covariance-of-everything.npy +\[>? +\]  1 %  31/2700 tiles   93.1 GFLOP/s \(79 % of the FMA limit\)      10s left$`,
		`^Größe +\[=+> +\] 90 % +9/10 tiles +1.0 GFLOP/s \(1 % of the FMA limit\) +0s left$`, `^c, reading +\[ +\]  0 %$`} {
		if !regexp.MustCompile(want).MatchString(wide[i]) {
			t.Errorf("line %d is\n%s\nwant\n%s", i, wide[i], want)
		}
	}
	narrow := d.layOut(batchLooks()[:1], 80)[0]
	if want := `^all \[=+> +\] 41 %  123/300 jobs  104.2 GFLOP/s \(88 %\)  1h12m0s left$`; !regexp.MustCompile(want).MatchString(narrow) {
		t.Errorf("at 80 columns it is\n%s\nwant\n%s", narrow, want)
	}
}

// A screen is what a terminal shows of what is written to it, as far as bars go.
type screen struct {
	lines    [][]rune
	row, col int
}

var escape = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z])`)

func (s *screen) Write(b []byte) (int, error) {
	for text := string(b); text != ""; {
		if m := escape.FindStringSubmatch(text); m != nil {
			text = text[len(m[0]):]
			n := 1
			fmt.Sscan(m[1], &n)
			switch m[2] {
			case "A":
				s.row -= n
			case "J":
				s.lines = s.lines[:s.row+1]
				s.lines[s.row] = s.lines[s.row][:s.col]
			default:
				return 0, fmt.Errorf("escape sequence %q", m[0])
			}
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		for len(s.lines) <= s.row {
			s.lines = append(s.lines, nil)
		}
		switch r {
		case '\r':
			s.col = 0
		case '\n':
			s.row, s.col = s.row+1, 0
		default:
			s.lines[s.row] = append(s.lines[s.row][:s.col], r)
			s.col++
		}
	}
	return len(b), nil
}

func (s *screen) String() string {
	var lines []string
	for _, l := range s.lines {
		lines = append(lines, strings.TrimRight(string(l), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func TestBarsComeAndGoAndLeaveTheNotes(t *testing.T) {
	s := &screen{}
	d := &display{w: s, bars: true, limit: 118}
	p := progress{d}
	var meters []*meter
	begin := time.Now()
	for i := range 3 {
		m := &meter{d: d, name: fmt.Sprint("job ", i), begin: begin}
		m.count(int64(i), 4, "tiles")
		meters = append(meters, m)
	}
	d.meters = slices.Clone(meters)
	show := func() { d.show(slices.Clone(d.meters), begin.Add(time.Minute)) }
	check := func(want ...string) {
		t.Helper()
		lines := strings.Split(s.String(), "\n")
		if s.String() == "" {
			lines = nil
		}
		ok := len(lines) == len(want)
		for i := range lines {
			ok = ok && strings.HasPrefix(lines[i], want[i])
		}
		if !ok {
			t.Errorf("the screen shows\n%s\nwant\n%s", s, strings.Join(want, "\n"))
		}
	}
	show()
	show()
	check("job 0 [", "job 1 [", "job 2 [")
	p.note("a word")
	check("matmul: a word", "job 0 [", "job 1 [", "job 2 [")
	meters[1].end()
	show()
	check("matmul: a word", "job 0 [", "job 2 [")
	p.note("and %d more", 1)
	meters[0].end()
	show()
	check("matmul: a word", "matmul: and 1 more", "job 2 [")
	meters[2].end()
	check("matmul: a word", "matmul: and 1 more")
	d.show(meters, begin.Add(time.Minute)) // looked at before they ended
	check("matmul: a word", "matmul: and 1 more")
	p.note("the end")
	check("matmul: a word", "matmul: and 1 more", "matmul: the end")
}

func TestManyMetersComeAndGoAtOnce(t *testing.T) {
	d := &display{w: io.Discard, bars: true}
	p := progress{d}
	p.limit(func() float64 { return 1 })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for i := range int64(50) {
				m := p.start("job", func(m *meter) { m.count(i, 100, "tiles") })
				m.begin = m.begin.Add(-patience)
				m.say("doing")
				m.computed(float64(i))
				d.show([]*meter{m}, time.Now())
				p.note("note")
				m.end()
			}
		})
	}
	all.Wait()
	if d.drawn != 0 || len(d.meters) != 0 {
		t.Errorf("%d lines are left of %d meters", d.drawn, len(d.meters))
	}
}

// BenchmarkLooks is what it costs to show the progress of a batch with four
// running jobs on a terminal: the part of one processor's time that the looks of
// a second take.
func BenchmarkLooks(b *testing.B) {
	pool, err := master.New(master.Config{Workers: 2, Starter: worker.Threads{}, Kind: shmmat.Heap})
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	d := &display{w: io.Discard, bars: true, limit: 118}
	begin := time.Now()
	for i := range 5 {
		m := &meter{d: d, name: fmt.Sprint("job ", i), begin: begin}
		m.poll = func(m *meter) {
			m.count(pool.Board().Progress(uint32(i+1)).Tiles+int64(i), 10, "tiles")
			m.computed(float64(i+1) * 1e9)
		}
		d.meters = append(d.meters, m)
	}
	meters := slices.Clone(d.meters)
	now := begin.Add(time.Minute)
	for b.Loop() {
		now = now.Add(redraw)
		d.show(meters, now)
	}
	each := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(100*each/redraw.Seconds(), "%/processor")
}
