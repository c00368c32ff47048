package verify

import (
	"context"

	"gonum.org/v1/gonum/blas/blas64"
)

// A patch is a piece of C and what gonum makes of it.
type patch struct {
	ctx     context.Context
	j       *job
	workers int
	scratch []*scratch // one per worker
	rect    rect       // of C

	a, b          blas64.General // a chunk of op(A) and op(B), later |op(A)| and |op(B)|
	product, g, c blas64.General // gonum's C, |α||A||B| + |β||C0|, and C

	badRow []bool    // α·a is not finite somewhere in the row of A
	maxB   []float64 // the largest |b| of each column; Inf or NaN if one is not finite
	unsure []bool    // elements for the definition, laid out like c
}

func newPatch(ctx context.Context, j *job, o Options) *patch {
	m, n, k := min(j.m, patchRows), min(j.n, patchCols), min(j.k, patchDepth)
	p := &patch{ctx: ctx, j: j, workers: o.workers(), scratch: make([]*scratch, o.workers())}
	for x, size := range map[*blas64.General]int64{&p.a: m * k, &p.b: k * n, &p.product: m * n, &p.g: m * n, &p.c: m * n} {
		x.Data = make([]float64, size)
	}
	p.badRow, p.maxB, p.unsure = make([]bool, m), make([]float64, n), make([]bool, m*n)
	return p
}

// patchMemory returns the bytes of a job's patch, at most.
func (j *job) patchMemory(o Options) int64 {
	m, n, k := min(j.m, patchRows), min(j.n, patchCols), min(j.k, patchDepth)
	patch := 8*(m*k+k*n+3*m*n) + m + 8*n + m*n
	return patch + int64(o.workers())*j.scratchMemory() + j.defineMemory(o, m, n) + 8*m
}

// loadLines is how many lines of an operand a worker loads at a time.
const loadLines = 32

// load reads rectangle r of x into dst, all workers together.
func (p *patch) load(x *operand, dst blas64.General, r rect) error {
	from, to, step := r.r0, r.r1, dst.Stride // a line further
	if !x.byRows {
		from, to, step = r.c0, r.c1, 1
	}
	return parallel(p.ctx, p.workers, ceilDiv(to-from, loadLines), func(w int, task int64) error {
		if p.scratch[w] == nil {
			p.scratch[w] = p.j.newScratch()
		}
		l0, l1, part := from+task*loadLines, min(from+task*loadLines+loadLines, to), r
		if x.byRows {
			part.r0, part.r1 = l0, l1
		} else {
			part.c0, part.c1 = l0, l1
		}
		return x.readRect(dst.Data[int(l0-from)*step:], dst.Stride, part, p.scratch[w])
	})
}

// look notes what in the loaded |op(A)| and |op(B)| gonum's product may not
// show, because it skips zero factors.
func (p *patch) look() {
	for i := range p.a.Rows {
		for _, v := range p.a.Data[i*p.a.Stride:][:p.a.Cols] {
			if p.j.overflows(v) {
				p.badRow[i] = true
			}
		}
	}
	for k := range p.b.Rows {
		for c, v := range p.b.Data[k*p.b.Stride:][:p.b.Cols] {
			p.maxB[c] = max(p.maxB[c], v) // NaN stays
		}
	}
}

// compare adds the elements to t, except those that only the definition can
// judge.
func (p *patch) compare(t *tally) {
	for i := range p.c.Rows {
		for c := range p.c.Cols {
			at := i*p.c.Stride + c
			g, want := p.g.Data[at], p.product.Data[at]
			bound := p.j.elementBound(g, p.maxB[c])
			p.unsure[at] = p.badRow[i] || !p.j.prec.judges(bound, g)
			if !p.unsure[at] {
				t.add(compareBound(p.rect.r0+int64(i), p.rect.c0+int64(c), p.c.Data[at], want, bound))
			}
		}
	}
}

// settle compares the unsure elements with the definition, adds them to t,
// and returns how many they were.
func (p *patch) settle(t *tally) (int64, error) {
	var list []int64
	for i := range p.c.Rows {
		for _, is := range p.unsure[i*p.c.Stride:][:p.c.Cols] {
			if is {
				list = append(list, p.rect.r0+int64(i))
				break
			}
		}
	}
	own := newTallies(p.workers)
	err := p.j.define(p.ctx, p.workers, listedRows(list), p.rect.c0, p.rect.c1, func(w int, row, col int64, want, got []float64) {
		unsure := p.unsure[int(row-p.rect.r0)*p.c.Stride+int(col-p.rect.c0):]
		for i := range want {
			if unsure[i] {
				own[w].add(compareBits(row, col+int64(i), got[i], want[i]))
			}
		}
	}, func() {})
	defined := merge(own)
	t.merge(defined)
	return defined.count, err
}
