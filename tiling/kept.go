package tiling

import (
	"cmp"
	"slices"
)

// cutRows cuts the rows of C between what is kept into tiles, and leaves what is
// kept whole.
func (pl *Plan) cutRows() {
	pl.rows = pl.rows[:1]
	for _, b := range fullBands(pl.Kept, pl.N) {
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

// fullBands returns the rows that rectangles of all n columns cover, as
// disjoint bands that do not touch. Rectangles of the same rows count together.
func fullBands(rects []Rect, n int64) (bands []Rect) {
	rects = slices.DeleteFunc(joinColumns(rects), func(r Rect) bool { return r.C0 > 0 || r.C1 < n || r.Rows() < 1 })
	slices.SortFunc(rects, func(a, b Rect) int { return cmp.Compare(a.R0, b.R0) })
	for _, r := range rects {
		if last := len(bands) - 1; last >= 0 && r.R0 <= bands[last].R1 {
			bands[last].R1 = max(bands[last].R1, r.R1)
			continue
		}
		bands = append(bands, r)
	}
	return bands
}

// joinColumns joins rectangles of the same rows where they touch or overlap.
func joinColumns(rects []Rect) (joined []Rect) {
	rects = slices.Clone(rects)
	slices.SortFunc(rects, func(a, b Rect) int {
		return cmp.Or(cmp.Compare(a.R0, b.R0), cmp.Compare(a.R1, b.R1), cmp.Compare(a.C0, b.C0))
	})
	for _, r := range rects {
		if last := len(joined) - 1; last >= 0 && joined[last].R0 == r.R0 && joined[last].R1 == r.R1 && r.C0 <= joined[last].C1 {
			joined[last].C1 = max(joined[last].C1, r.C1)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// Missing returns the rows of a C of m×n that the rectangles do not cover whole,
// as bands in ascending order.
func Missing(rects []Rect, m, n int64) (bands []Rect) {
	at := int64(0)
	for _, b := range append(fullBands(rects, n), Rect{R0: m, R1: m}) {
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
