package tiling

// Taper says into which parts the last tiles are cut. Each part of operands that
// are not packed packs one of them once more, and so parts must be worth it.
type Taper struct {
	Workers int64   // that are to end together; fewer than 2 cut nothing
	Side    int64   // rows or columns of a part, at least
	Flops   float64 // of a part, at least
	Both    bool    // parts are halved along the shorter side, too
}

// TaperFor returns what suits so many workers and tiles of a shape.
func TaperFor(workers int, s Shape) Taper {
	return Taper{Workers: int64(workers), Side: s.Part, Flops: 1e8, Both: s.Both}
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
			pl.cut(t, mostParts)
		} else {
			pl.cut(t, 2)
		}
	}
	whole := pl.tasks
	pl.tasks = make([]entry, 0, len(whole)+int(left)*2*mostParts)
	for _, t := range whole {
		for t.part = 0; t.part == 0 || t.part < t.parts; t.part++ {
			pl.tasks = append(pl.tasks, t)
		}
	}
}

// cut decides into how many parts, a power of two, a tile is cut: along its longer
// side into at most so many, and if those are more than two, perhaps along both.
func (pl *Plan) cut(t *entry, most uint8) {
	r := pl.tile(*t)
	long, unit, short, across := r.Cols(), pl.NR, r.Rows(), pl.MR
	if short > long {
		long, unit, short, across = short, across, long, unit
	}
	flops := Problem{r.Rows(), r.Cols(), pl.K}.Flops()
	fits := func(side, unit int64, parts, all uint8) bool {
		return ceilDiv(side, unit) >= int64(parts)*ceilDiv(pl.Taper.Side, unit) && flops >= float64(all)*pl.Taper.Flops
	}
	for t.parts = most; t.parts > 1 && !fits(long, unit, t.parts, t.parts); {
		t.parts /= 2
	}
	if t.halves = pl.Taper.Both && t.parts > 2 && fits(short, across, 2, 2*t.parts); t.halves {
		t.parts *= 2
	}
}

// partOf returns what a task covers of its tile: a share of its longer side, perhaps
// of one half along the other, in whole units.
func (pl *Plan) partOf(t entry) Rect {
	r := pl.tile(t)
	if t.parts < 2 {
		return r
	}
	rows, cols := t, t
	long, short := &cols, &rows
	if r.Rows() > r.Cols() {
		long, short = short, long
	}
	short.part, short.parts = 0, 1
	if t.halves {
		long.part, long.parts = t.part/2, t.parts/2
		short.part, short.parts = t.part%2, 2
	}
	r.R0, r.R1 = share(r.R0, r.R1, pl.MR, rows)
	r.C0, r.C1 = share(r.C0, r.C1, pl.NR, cols)
	return r
}

// share returns a part of [begin, end), which begins at a whole unit.
func share(begin, end, unit int64, t entry) (int64, int64) {
	units := ceilDiv(end-begin, unit)
	at := func(part uint8) int64 { return min(begin+units*int64(part)/int64(t.parts)*unit, end) }
	return at(t.part), at(t.part + 1)
}
