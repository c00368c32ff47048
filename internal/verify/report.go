package verify

import (
	"fmt"
	"math"
	"time"
)

// A Method is a way to verify. Its String is its name on the command line.
type Method string

// The methods.
const (
	Freivalds Method = "freivalds"
	Gonum     Method = "gonum"
	Exact     Method = "exact"
)

// ParseMethod returns the method of that name.
func ParseMethod(name string) (Method, error) {
	switch m := Method(name); m {
	case Freivalds, Gonum, Exact:
		return m, nil
	}
	return "", fmt.Errorf("unknown method %q: want freivalds, gonum or exact", name)
}

// A Difference is one comparison: of an element, or of a row under the signs
// of Freivalds.
type Difference struct {
	Row, Col  int64   // 0-based; Col is -1 for a row, both are -1 for nothing
	Got, Want float64 // of C, and what it was compared with
	Error     float64 // |Got − Want|; Inf where that is NaN
	Bound     float64 // what Error may be; 0 where bits were compared
	Bad       bool    // it failed
}

// nothing is the worst of no comparisons.
var nothing = Difference{Row: -1, Col: -1}

// A Report is a verdict and what it rests on. Its floats may be NaN or Inf.
type Report struct {
	Method Method
	OK     bool

	// Worst is the comparison with the largest Error/Bound, and if any failed,
	// the worst of those. Ties go to the first row and column.
	Worst Difference
	// Element is Worst, except that after a failed Freivalds it is the element
	// of that row which is farthest from the definition.
	Element Difference

	Wrong   int64 // comparisons that failed: elements, or rows with Freivalds
	Defined int64 // elements (rows with Freivalds) compared with the definition for lack of a finite bound; all of them under Exact

	Rounds  int    // of Freivalds
	Seed    uint64 // of Freivalds: the same seed and rounds repeat the check
	Elapsed time.Duration
}

// compareBound compares under a bound, which is finite if the result counts.
// A NaN fails.
func compareBound(row, col int64, got, want, bound float64) Difference {
	e := distance(got, want)
	return Difference{row, col, got, want, e, bound, !(e <= bound)}
}

// compareBits compares with the definition: NaN equals NaN, −0 is not +0.
func compareBits(row, col int64, got, want float64) Difference {
	d := Difference{Row: row, Col: col, Got: got, Want: want}
	if math.Float64bits(got) == math.Float64bits(want) || (got != got && want != want) {
		return d
	}
	d.Error, d.Bad = distance(got, want), true
	return d
}

// distance is |got − want|, Inf where that is NaN.
func distance(got, want float64) float64 {
	if e := math.Abs(got - want); e == e {
		return e
	}
	return math.Inf(1)
}

// ratio orders differences: how much of the bound is used up.
func (d Difference) ratio() float64 {
	if d.Error == 0 {
		return 0
	}
	return d.Error / d.Bound
}

// worse reports whether d should replace the worst so far, w. The order is
// total, so that the worst of all does not depend on who compared what first.
func (d Difference) worse(w Difference) bool {
	if w.Row < 0 || d.Bad != w.Bad {
		return w.Row < 0 || d.Bad
	}
	if r, s := d.ratio(), w.ratio(); r != s {
		return r > s
	}
	if d.Error != w.Error {
		return d.Error > w.Error
	}
	return d.Row < w.Row || d.Row == w.Row && d.Col < w.Col
}

// A tally counts comparisons and keeps the worst.
type tally struct {
	worst Difference
	wrong int64
	count int64
}

func newTally() tally { return tally{worst: nothing} }

func (t *tally) add(d Difference) {
	t.count++
	if d.Bad {
		t.wrong++
	}
	if d.worse(t.worst) {
		t.worst = d
	}
}

func (t *tally) merge(o tally) {
	t.count += o.count
	t.wrong += o.wrong
	if o.worst.Row >= 0 && o.worst.worse(t.worst) {
		t.worst = o.worst
	}
}

func newTallies(workers int) []tally {
	ts := make([]tally, workers)
	for i := range ts {
		ts[i] = newTally()
	}
	return ts
}

func merge(ts []tally) tally {
	all := newTally()
	for _, t := range ts {
		all.merge(t)
	}
	return all
}
