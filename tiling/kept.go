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
// disjoint bands that do not touch.
func fullBands(rects []Rect, n int64) (bands []Rect) {
	rects = slices.DeleteFunc(slices.Clone(rects), func(r Rect) bool { return r.C0 > 0 || r.C1 < n || r.Rows() < 1 })
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
