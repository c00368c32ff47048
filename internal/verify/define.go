package verify

import "context"

// A rowSet is the rows [0, count), or those listed, ascending.
type rowSet struct {
	count int64
	list  []int64
}

func allRows(m int64) rowSet         { return rowSet{count: m} }
func listedRows(list []int64) rowSet { return rowSet{int64(len(list)), list} }

func (r rowSet) at(i int64) int64 {
	if r.list == nil {
		return i
	}
	return r.list[i]
}

// A visitor is shown a part of a row of C, from (row, col) on: what the
// definition wants there and what the file has. Calls by one worker do not
// overlap. The slices are only lent.
type visitor func(worker int, row, col int64, want, got []float64)

// defineMemory returns the bytes that define needs, at most.
func (j *job) defineMemory(o Options, rows, cols int64) int64 {
	acc, a, slab := j.blockShape(rows, cols)
	blocks := min(int64(o.workers()), ceilDiv(rows, blockRows)*ceilDiv(cols, blockCols))
	return blocks * (8*(2*acc+a+slab+min(rows, blockRows)) + j.scratchMemory())
}

// defineSteps returns how often define calls step.
func (j *job) defineSteps(rows, cols int64) int64 {
	chunks := int64(1)
	if j.product {
		chunks = ceilDiv(j.k, blockDepth)
	}
	return ceilDiv(rows, blockRows) * ceilDiv(cols, blockCols) * chunks
}

// define computes the given rows and columns [c0, c1) of C by the definition
// and shows them to visit, with C. It calls step after each piece of work.
func (j *job) define(ctx context.Context, workers int, rows rowSet, c0, c1 int64, visit visitor, step func()) error {
	rowBlocks, colBlocks := ceilDiv(rows.count, blockRows), ceilDiv(c1-c0, blockCols)
	own := make([]*block, workers)
	return parallel(ctx, workers, rowBlocks*colBlocks, func(w int, task int64) error {
		if own[w] == nil {
			own[w] = newBlock(j, rows.count, c1-c0)
		}
		b := own[w]
		b.rows = b.rows[:0]
		first := task / colBlocks * blockRows
		for i := first; i < min(first+blockRows, rows.count); i++ {
			b.rows = append(b.rows, rows.at(i))
		}
		b.c0 = c0 + task%colBlocks*blockCols
		b.c1 = min(b.c0+blockCols, c1)
		if err := b.compute(ctx, step); err != nil {
			return err
		}
		return b.show(w, visit)
	})
}
