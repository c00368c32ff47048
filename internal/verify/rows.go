package verify

import (
	"context"
	"math"
)

// rows are the vectors of a Freivalds check. They are zero, or nil, where the
// operand does not take part.
type rows struct {
	j        *job
	x        []float64 // n: the signs
	bx, b1   []float64 // k: Bx and |B|·1
	abx, ab1 []float64 // m: A(Bx) and |A|(|B|·1)
	c0x, c01 []float64 // m: C0x and |C0|·1
	cx       []float64 // m: Cx
	a1       []float64 // m: |A|·1, nil if it is of no interest
	unsure   []bool    // m: to be compared with the definition
}

func newRows(j *job) *rows {
	f := &rows{j: j, x: make([]float64, j.n), cx: make([]float64, j.m), unsure: make([]bool, j.m)}
	f.abx, f.ab1 = make([]float64, j.m), make([]float64, j.m)
	if j.beta != 0 {
		f.c0x, f.c01 = make([]float64, j.m), make([]float64, j.m)
	}
	if j.product {
		f.bx, f.b1 = make([]float64, j.k), make([]float64, j.k)
	}
	return f
}

// rowsMemory returns the bytes of a job's rows, and of a pass for a1.
func (j *job) rowsMemory() int64 {
	size := 8*j.n + (3*8+1)*j.m
	if j.beta != 0 {
		size += 2 * 8 * j.m
	}
	if j.product {
		size += 2 * 8 * j.k
	}
	if j.scaled() {
		size += 2 * 8 * j.m
	}
	return size
}

// scaled reports whether α·a may overflow where a does not.
func (j *job) scaled() bool { return j.product && math.Abs(j.alpha) > 1 }

// compare adds the rows to t, except those that only the definition can
// judge.
func (f *rows) compare(t *tally) {
	j := f.j
	sum := 0.0
	for _, v := range f.b1 {
		sum += v
	}
	bound := j.rowBound(sum)
	for i, got := range f.cx {
		g, want := math.Abs(j.alpha)*f.ab1[i], j.alpha*f.abx[i]
		if j.beta != 0 {
			g, want = g+math.Abs(j.beta)*f.c01[i], want+j.beta*f.c0x[i]
		}
		d := compareBound(int64(i), -1, got, want, bound(g))
		if !j.prec.judges(d.Bound, g) || (f.a1 != nil && j.overflows(f.a1[i])) {
			f.unsure[i] = true
		}
		if !f.unsure[i] {
			t.add(d)
		}
	}
}

// settleRows is how many rows are compared with the definition at a time.
const settleRows = 1024

// settleWeight is what a step of the definition counts in a meter of elements
// read: as much as can be read in the same time.
const settleWeight = 1 << 28

// settle compares the unsure rows with the definition until some are wrong,
// or, if r is wrong already, finds the element to show in its worst row.
func (f *rows) settle(ctx context.Context, o Options, m *meter, r *Report) error {
	if r.Wrong > 0 {
		t, err := f.define(ctx, o, m, []int64{r.Worst.Row})
		if t.wrong > 0 {
			r.Element = t.worst
		}
		return err
	}
	var list []int64
	for i, is := range f.unsure {
		if is {
			list = append(list, int64(i))
		}
		if len(list) < settleRows && (i < len(f.unsure)-1 || len(list) == 0) {
			continue
		}
		t, err := f.define(ctx, o, m, list)
		if err != nil {
			return err
		}
		if t.wrong > 0 || r.Worst.Row < 0 {
			r.Worst, r.Element = t.worst, t.worst
		}
		r.Wrong, r.Defined, list = t.wrong, r.Defined+int64(len(list)), list[:0]
		if r.Wrong > 0 {
			return nil
		}
	}
	return nil
}

// define compares the listed rows with the definition.
func (f *rows) define(ctx context.Context, o Options, m *meter, list []int64) (tally, error) {
	m.grow(settleWeight * f.j.defineSteps(int64(len(list)), f.j.n))
	return f.j.compareRows(ctx, o, listedRows(list), func() { m.add(settleWeight) })
}
