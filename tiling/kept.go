package tiling

import (
	"cmp"
	"slices"
)

// keep notes which rows of tiles are covered by what is stored already.
func (pl *Plan) keep() {
	if len(pl.Kept) == 0 {
		return
	}
	bands := fullBands(pl.Kept, pl.N)
	pl.kept = make([]bool, pl.TileRows())
	for i := range pl.kept {
		for _, b := range bands {
			pl.kept[i] = pl.kept[i] || b.R0 <= pl.rows[i] && pl.rows[i+1] <= b.R1
		}
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

// isKept reports whether row i of the tiles is stored already.
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
