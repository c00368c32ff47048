package verify

import "context"

// exact compares the bits of every element with the definition, at the price
// of computing all of it, without a vector instruction.
func (j *job) exact(ctx context.Context, o Options) (Report, error) {
	m := newMeter(o, j.defineSteps(j.m, j.n))
	t, err := j.compareRows(ctx, o, allRows(j.m), func() { m.add(1) })
	return Report{Worst: t.worst, Element: t.worst, Wrong: t.wrong, Defined: t.count}, err
}

// compareRows compares the bits of whole rows with the definition.
func (j *job) compareRows(ctx context.Context, o Options, rows rowSet, step func()) (tally, error) {
	own := newTallies(o.workers())
	err := j.define(ctx, o.workers(), rows, 0, j.n, func(w int, row, col int64, want, got []float64) {
		t := &own[w]
		for i := range want {
			t.add(compareBits(row, col+int64(i), got[i], want[i]))
		}
	}, step)
	return merge(own), err
}
