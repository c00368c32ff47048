package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/cheggaaa/pb/v3/termutil"
)

const (
	patience = 500 * time.Millisecond // work that is over sooner shows nothing
	redraw   = 200 * time.Millisecond // between two looks at bars,
	relook   = time.Second            // and where there are only lines
	lineTime = 10 * time.Second       // before the first line, and at most between two
)

// A display shows all work that goes on. One goroutine looks at it while there
// is some.
type display struct {
	w        io.Writer
	bars     bool
	askLimit func() float64 // nil if nobody knows

	limitOnce sync.Once
	limit     float64 // FMA limit in GFLOP/s, 0 if it is not known

	mu     sync.Mutex
	meters []*meter // oldest first
	active bool     // the goroutine is there
	drawn  int      // lines of bars on the terminal
	last   glance   // the last bars or line
	shown  []glance
}

// add shows a meter from now on.
func (d *display) add(m *meter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.meters = append(d.meters, m)
	if !d.active {
		d.active, d.last = true, glance{}
		go d.watch()
	}
}

// remove shows a meter no more. With the last one all bars are gone when it
// returns.
func (d *display) remove(m *meter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.meters, m)
	if i < 0 {
		return
	}
	d.meters = slices.Delete(d.meters, i, i+1)
	if len(d.meters) == 0 {
		d.draw(nil)
	}
}

// watch looks at the work until there is none.
func (d *display) watch() {
	pause := relook
	if d.bars {
		pause = redraw
	}
	for {
		time.Sleep(pause)
		d.mu.Lock()
		meters := slices.Clone(d.meters)
		d.active = len(meters) > 0
		d.mu.Unlock()
		if len(meters) == 0 {
			return
		}
		d.show(meters, time.Now())
	}
}

// show looks at meters, and shows those of which that is due.
func (d *display) show(meters []*meter, now time.Time) {
	if !d.bars {
		meters = meters[:1]
	}
	var looks []glance
	speed := false
	for _, m := range meters {
		if now.Sub(m.begin) >= patience {
			l := m.look(now) // without the lock: poll may take others
			looks = append(looks, l)
			speed = speed || l.gflops > 0
		}
	}
	if speed && d.askLimit != nil {
		d.limitOnce.Do(func() { d.limit = d.askLimit() })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	looks = slices.DeleteFunc(looks, func(l glance) bool { return !slices.Contains(d.meters, l.of) })
	if d.bars {
		d.draw(looks)
	} else if len(looks) > 0 {
		d.line(looks[0])
	}
}

// line writes a line every ten seconds, and whenever a further tenth is done
// after the first ones.
func (d *display) line(l glance) {
	if l.total == 0 || l.passed < lineTime {
		return
	}
	if d.last.of == l.of && l.passed-d.last.passed < lineTime && l.percent()/10 == d.last.percent()/10 {
		return
	}
	d.last = l
	fmt.Fprintf(d.w, "%s: %d %% after %s", l.name, l.percent(), l.passed.Round(time.Second))
	for _, words := range []string{l.count, d.speedText(l, " of the FMA limit"), l.left} {
		if words != "" {
			fmt.Fprintf(d.w, ", %s", words)
		}
	}
	fmt.Fprintln(d.w)
}

// note writes a line above the bars.
func (d *display) note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	again := d.shown
	d.draw(nil)
	io.WriteString(d.w, text)
	if d.bars {
		d.draw(again)
	}
}

// draw draws a bar for each look, in the place of those that it drew before, and
// leaves the cursor at the end of the last.
func (d *display) draw(looks []glance) {
	rows, cols, err := termutil.TerminalSize()
	if err != nil || cols <= 0 {
		rows, cols = 24, 80
	}
	if most := max(rows-1, 1); len(looks) > most {
		looks = append(looks[:1:1], looks[len(looks)-most+1:]...)
	}
	var b strings.Builder
	if d.drawn > 0 {
		b.WriteByte('\r')
		if d.drawn > 1 {
			fmt.Fprintf(&b, "\x1b[%dA", d.drawn-1)
		}
		b.WriteString("\x1b[J")
	}
	if len(looks) == 0 && d.drawn == 0 {
		return
	}
	b.WriteString(strings.Join(d.layOut(looks, cols-1), "\n"))
	d.drawn, d.shown = len(looks), looks
	io.WriteString(d.w, b.String())
}

// leastBar is the width of a bar below which the words beside it are cut.
const leastBar = 12

// layOut returns lines of a width, their columns below each other. Where it is
// narrow, the count goes first, then the speed, then the time left.
func (d *display) layOut(looks []glance, width int) []string {
	table := make([][]string, len(looks))
	for i, l := range looks {
		limit := ""
		if width >= 120 {
			limit = " of the FMA limit"
		}
		table[i] = []string{shortened(l.name, width/3), l.count, d.speedText(l, limit), fmt.Sprintf("%d %%", l.percent()), l.left}
	}
	for _, cut := range []int{1, 2, 4} {
		if taken(table)+leastBar > width {
			for i := range table {
				table[i][cut] = ""
			}
		}
	}
	lines := make([]string, len(looks))
	widths := columns(table)
	for i, l := range looks {
		name, percent, words := table[i][0], table[i][3], ""
		for c, w := range widths {
			switch {
			case c == 0:
				name += strings.Repeat(" ", w-pb.CellCount(name))
			case c == 3:
				percent = strings.Repeat(" ", w-pb.CellCount(percent)) + percent
			case w > 0:
				words += "  " + strings.Repeat(" ", w-pb.CellCount(table[i][c])) + table[i][c]
			}
		}
		const layout = `{{string . "name"}} {{bar . "[" "=" ">" " " "]"}} {{string . "words"}}`
		bar := pb.ProgressBarTemplate(layout).New(0).Set(pb.Static, true).Set(pb.Color, false).
			SetWidth(width).SetTotal(max(l.total, 1)).SetCurrent(l.done).
			Set("name", name).Set("words", percent+words)
		lines[i] = strings.TrimRight(bar.String(), " ")
	}
	return lines
}

// columns returns the widths of the columns of a table.
func columns(table [][]string) (widths [5]int) {
	for _, row := range table {
		for c, text := range row {
			widths[c] = max(widths[c], pb.CellCount(text))
		}
	}
	return widths
}

// taken returns what the words of a table take of a line.
func taken(table [][]string) (sum int) {
	for _, w := range columns(table) {
		if w > 0 {
			sum += w + 2
		}
	}
	return sum
}

// shortened cuts text that is wider than most cells.
func shortened(text string, most int) string {
	if pb.CellCount(text) <= most {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && pb.CellCount(string(runes))+1 > most {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// speedText says how fast it is, and what part that is of the limit.
func (d *display) speedText(l glance, ofLimit string) string {
	if l.gflops == 0 {
		return ""
	}
	s := fmt.Sprintf("%.1f GFLOP/s", l.gflops)
	if d.limit > 0 {
		s += fmt.Sprintf(" (%.0f %%%s)", 100*l.gflops/d.limit, ofLimit)
	}
	return s
}
