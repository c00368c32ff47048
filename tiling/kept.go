package tiling

import (
	"cmp"
	"slices"
)

// cutRows cuts the rows of C between what is kept into tiles, and leaves what is
// kept whole.
func (pl *Plan) cutRows() {
	pl.rows = pl.rows[:1]
	for _, b := range Covered(pl.Kept, Rect{R1: pl.M, C1: pl.N}) {
		begin, end := roundUp(b.R0, pl.MR), b.R1
		if end < pl.M {
			end = end / pl.MR * pl.MR
		}
		if begin < end {
			pl.cutTo(begin)
			pl.rows = append(pl.rows, end)
			pl.kept = append(pl.kept, true)
		}
	}
	pl.cutTo(pl.M)
}

// cutTo cuts the rows from the last edge to end into tiles.
func (pl *Plan) cutTo(end int64) {
	begin := pl.rows[len(pl.rows)-1]
	if begin == end {
		return
	}
	for _, e := range edges(end-begin, pl.MR, Tiles(end-begin, pl.tileM))[1:] {
		pl.rows = append(pl.rows, begin+e)
		pl.kept = append(pl.kept, false)
	}
}

// Covered returns the rows of c all of whose columns in c rectangles cover, as
// disjoint bands that do not touch.
func Covered(rects []Rect, c Rect) (bands []Rect) {
	rects = slices.DeleteFunc(slices.Clone(rects), func(r Rect) bool {
		return min(r.R1, c.R1) <= max(r.R0, c.R0) || min(r.C1, c.C1) <= max(r.C0, c.C0)
	})
	if len(rects) == 0 {
		return nil
	}
	slices.SortFunc(rects, func(a, b Rect) int { return cmp.Compare(a.C0, b.C0) })
	edges := []int64{c.R0, c.R1}
	for _, r := range rects {
		edges = append(edges, max(r.R0, c.R0), min(r.R1, c.R1))
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	for i := range edges[1:] {
		r0, r1, to := edges[i], edges[i+1], c.C0
		for _, r := range rects { // those that begin first come first
			if r.R0 <= r0 && r1 <= r.R1 && r.C0 <= to {
				to = max(to, r.C1)
			}
		}
		switch last := len(bands) - 1; {
		case to < c.C1:
		case last >= 0 && bands[last].R1 == r0:
			bands[last].R1 = r1
		default:
			bands = append(bands, Rect{r0, r1, c.C0, c.C1})
		}
	}
	return bands
}

// Missing returns the rows of a C of m×n that rectangles do not cover whole, as
// bands in ascending order.
func Missing(rects []Rect, m, n int64) (bands []Rect) {
	at := int64(0)
	for _, b := range append(Covered(rects, Rect{0, m, 0, n}), Rect{R0: m, R1: m}) {
		if b.R0 > at {
			bands = append(bands, Rect{at, b.R0, 0, n})
		}
		at = b.R1
	}
	return bands
}

// isKept reports whether row i of the tiles is none, but kept.
func (pl *Plan) isKept(i int) bool { return pl.kept != nil && pl.kept[i] }

// KeptRows returns the number of rows of C that the plan leaves as they are.
func (pl *Plan) KeptRows() (n int64) {
	for i, kept := range pl.kept {
		if kept {
			n += pl.rows[i+1] - pl.rows[i]
		}
	}
	return n
}
