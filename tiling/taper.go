package tiling

// Taper says into which parts the last tiles are cut. Each part of operands that
// are not packed packs one of them once more, and so parts must be worth it.
type Taper struct {
	Workers int64   // that are to end together; fewer than 2 cut nothing
	Side    int64   // rows or columns of a part, at least
	Flops   float64 // of a part, at least
}

// TaperFor returns what suits so many workers and tiles of a shape.
func TaperFor(workers int, s Shape) Taper {
	return Taper{Workers: int64(workers), Side: s.Part, Flops: 1e8}
}

const mostParts = 8

// taper cuts the last of many tiles, one for each worker, into parts: the first
// half of them in two, the others into more. Workers of the same speed then get
// the same work, and of others the faster one takes what the slower one leaves. Of
// few tiles each worker has its own, and smaller ones are only slower.
func (pl *Plan) taper() {
	w := pl.Taper.Workers
	if w < 2 || int64(pl.TileRows()*pl.TileCols()) < 2*w {
		return
	}
	left := int64(0)
	for at := len(pl.tasks) - 1; at >= 0 && left < w; at-- {
		t := &pl.tasks[at]
		if t.kind != Multiply {
			continue
		}
		if left++; left <= (w+1)/2 {
			t.parts = pl.partsOf(*t, mostParts)
		} else {
			t.parts = pl.partsOf(*t, 2)
		}
	}
	whole := pl.tasks
	pl.tasks = make([]entry, 0, len(whole)+int(left)*mostParts)
	for _, t := range whole {
		for t.part = 0; t.part == 0 || t.part < t.parts; t.part++ {
			pl.tasks = append(pl.tasks, t)
		}
	}
}

// partsOf returns into how many parts, a power of two and at most so many, a tile
// is cut.
func (pl *Plan) partsOf(t entry, most uint8) uint8 {
	r := pl.tile(t)
	units, unit := ceilDiv(r.Cols(), pl.NR), pl.NR
	if r.Rows() > r.Cols() {
		units, unit = ceilDiv(r.Rows(), pl.MR), pl.MR
	}
	flops := Problem{r.Rows(), r.Cols(), pl.K}.Flops()
	for most > 1 && (units < int64(most)*ceilDiv(pl.Taper.Side, unit) || flops < float64(most)*pl.Taper.Flops) {
		most /= 2
	}
	return most
}

// partOf returns what a task covers of its tile: a share of the longer side, in
// whole units.
func (pl *Plan) partOf(t entry) Rect {
	r := pl.tile(t)
	if t.parts < 2 {
		return r
	}
	if r.Rows() > r.Cols() {
		r.R0, r.R1 = share(r.R0, r.R1, pl.MR, t)
	} else {
		r.C0, r.C1 = share(r.C0, r.C1, pl.NR, t)
	}
	return r
}

// share returns a part of [begin, end), which begins at a whole unit.
func share(begin, end, unit int64, t entry) (int64, int64) {
	units := ceilDiv(end-begin, unit)
	at := func(part uint8) int64 { return min(begin+units*int64(part)/int64(t.parts)*unit, end) }
	return at(t.part), at(t.part + 1)
}
