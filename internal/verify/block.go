package verify

import (
	"context"

	"matmul/internal/elem"
)

// The definition is evaluated in blocks of C that one goroutine owns, each
// with its k in chunks: acc (blockRows×blockCols) stays, a chunk of op(A)
// (blockRows×blockDepth) is scaled by alpha and stays, op(B) streams past in
// slabs that fit in L2. All are row-major float64, whatever the type; memory
// does not grow with the matrices. B is read once per blockRows rows of C,
// which costs some 2 % of the arithmetic.
const (
	blockRows  = 128
	blockCols  = 4096
	blockDepth = 4096
)

// A slab is long in the direction of op(B)'s lines: reads are then long, too.
const slabLong, slabShort = 512, 128

// slabPad keeps the rows of a slab from sharing an L1 set.
const slabPad = 8

// A block is a block of C in the making, and the memory for it.
type block struct {
	j        *job
	rows     []int64 // of C, ascending
	c0, c1   int64   // columns of C
	acc, got []float64
	ldc      int       // of both
	a        []float64 // a chunk of op(A), times alpha
	lda      int
	slab     []float64
	reach    reach
	scratch  *scratch
}

// newBlock makes a block that has room for any block of rows×cols of C.
func newBlock(j *job, rows, cols int64) *block {
	acc, a, slab := j.blockShape(rows, cols)
	b := &block{j: j, scratch: j.newScratch(), ldc: int(min(cols, blockCols)), lda: int(min(j.k, blockDepth))}
	b.acc, b.got = make([]float64, acc), make([]float64, acc)
	b.a, b.slab = make([]float64, a), make([]float64, slab)
	return b
}

// blockShape returns the elements of acc, a, and slab in such a block.
func (j *job) blockShape(rows, cols int64) (acc, a, slab int64) {
	rows = min(rows, blockRows)
	acc = rows * min(cols, blockCols)
	if j.product {
		depth, width := j.slabSize()
		a, slab = rows*min(j.k, blockDepth), min(depth, j.k)*(min(width, cols)+slabPad)
	}
	return acc, a, slab
}

// slabSize returns the depth and the columns of a slab of op(B).
func (j *job) slabSize() (depth, cols int64) {
	if j.b.byRows {
		return slabShort, slabLong
	}
	return slabLong, slabShort
}

// compute fills acc by the definition.
func (b *block) compute(ctx context.Context, step func()) error {
	if err := b.begin(); err != nil {
		return err
	}
	if !b.j.product {
		step()
		return nil
	}
	for p := int64(0); p < b.j.k; p += blockDepth {
		if err := b.accumulate(ctx, p, min(p+blockDepth, b.j.k)); err != nil {
			return err
		}
		step()
	}
	return nil
}

// begin sets acc to zero or round(beta·c0).
func (b *block) begin() error {
	clear(b.acc)
	b.reach = reach{}
	if b.j.beta == 0 {
		return nil
	}
	if err := b.j.c0.readRows(b.acc, b.ldc, b.rows, b.c0, b.c1, b.scratch); err != nil {
		return err
	}
	_, b.reach.acc = b.scale(b.acc, b.ldc, b.c1-b.c0, b.j.beta)
	return nil
}

// accumulate takes the steps [p0, p1) of k.
func (b *block) accumulate(ctx context.Context, p0, p1 int64) error {
	if err := b.j.a.readRows(b.a, b.lda, b.rows, p0, p1, b.scratch); err != nil {
		return err
	}
	b.reach.minA, b.reach.maxA = b.scale(b.a, b.lda, p1-p0, b.j.alpha)
	depth, width := b.j.slabSize()
	for p := p0; p < p1; p += depth {
		for c := b.c0; c < b.c1; c += width {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.addSlab(rect{p, min(p+depth, p1), c, min(c+width, b.c1)}, p-p0); err != nil {
				return err
			}
		}
		b.reach.advance()
	}
	return nil
}

// scale replaces each element x of a row-major array, which has a row for
// each of b's, by round(factor·x), and returns their magnitudes.
func (b *block) scale(x []float64, ld int, cols int64, factor float64) (least, most float64) {
	m := newMagnitudes()
	for i := range b.rows {
		row := x[i*ld:][:cols]
		for j, v := range row {
			row[j] = b.j.prec.round(factor * v)
		}
		m.see(row)
	}
	return m.least, m.most
}

// addSlab adds a chunk of op(A), from its column q on, times slab r of op(B).
func (b *block) addSlab(r rect, q int64) error {
	depth, cols := int(r.r1-r.r0), int(r.c1-r.c0)
	ldb := cols + slabPad
	if err := b.j.b.readRect(b.slab, ldb, r, b.scratch); err != nil {
		return err
	}
	t := tile{rows: len(b.rows), cols: cols, depth: depth,
		a: b.a[q:], lda: b.lda, b: b.slab, ldb: ldb, c: b.acc[r.c0-b.c0:], ldc: b.ldc}
	if b.j.prec.t == elem.Float64 {
		t.multiply64()
	} else {
		t.multiply32(b.reach.harmless(&t))
	}
	return nil
}

// show reads C and shows it beside acc.
func (b *block) show(worker int, visit visitor) error {
	if err := b.j.c.readRows(b.got, b.ldc, b.rows, b.c0, b.c1, b.scratch); err != nil {
		return err
	}
	for i, row := range b.rows {
		from, to := i*b.ldc, i*b.ldc+int(b.c1-b.c0)
		visit(worker, row, b.c0, b.acc[from:to], b.got[from:to])
	}
	return nil
}
