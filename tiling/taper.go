package tiling

// Taper says into which parts the last tiles are cut. Each part of operands that
// are not packed packs one of them once more, and so parts must be worth it.
type Taper struct {
	Workers int64   // that are to end together; fewer than 2 cut nothing
	Side    int64   // rows or columns of a part, at least
	Flops   float64 // of a part, at least
	Both    bool    // the smallest parts are halved along the shorter side, too
}

// TaperFor returns what suits so many workers and tiles of a shape.
func TaperFor(workers int, s Shape) Taper {
	return Taper{Workers: int64(workers), Side: s.Part, Flops: 1e8, Both: s.Both}
}

const mostSlices = 8

// taper cuts the last of many tiles, one for each worker, into parts: the first
// half of them in two, the others into more, which become smaller toward the end.
// Workers of the same speed then get the same work, and of others the faster one takes
// what the slower one leaves. Of few tiles each worker has its own, and smaller ones
// are only slower.
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
			pl.cut(t, mostSlices)
		} else {
			pl.cut(t, 2)
		}
	}
	whole := pl.tasks
	pl.tasks = make([]entry, 0, len(whole)+int(left)*mostSlices)
	for _, t := range whole {
		for t.part = 0; t.part < t.parts(); t.part++ {
			pl.tasks = append(pl.tasks, t)
		}
	}
}

// cut decides into how many slices, a power of two, a tile is cut along its longer side:
// at most so many, and whether the last of more than two are halved along the other one.
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
	for t.slices = most; t.slices > 1 && !fits(long, unit, t.slices, t.slices); {
		t.slices /= 2
	}
	t.halves = pl.Taper.Both && t.slices > 2 && fits(short, across, 2, 2*t.slices)
}

// parts returns how many tasks a tile is: of four slices or more the first half in
// pairs, the third quarter alone, and the last quarter perhaps in halves.
func (t entry) parts() uint8 {
	switch quarter := t.slices / 4; {
	case quarter == 0:
		return max(t.slices, 1)
	case t.halves:
		return 4 * quarter
	default:
		return 3 * quarter
	}
}

// partOf returns what a task covers of its tile: slices of its longer side, perhaps
// of one half along the other, in whole units.
func (pl *Plan) partOf(t entry) Rect {
	r := pl.tile(t)
	if t.slices < 2 {
		return r
	}
	quarter, first, n, half, halves := t.slices/4, t.part, uint8(1), uint8(0), uint8(1)
	if t.part < quarter {
		first, n = 2*t.part, 2
	} else if first += quarter; t.halves && t.part >= 2*quarter {
		last := t.part - 2*quarter
		first, half, halves = 3*quarter+last/2, last%2, 2
	}
	long := func(begin, end, unit int64) (int64, int64) {
		return share(begin, end, unit, first, n, t.slices)
	}
	short := func(begin, end, unit int64) (int64, int64) {
		return share(begin, end, unit, half, 1, halves)
	}
	rows, cols := short, long
	if r.Rows() > r.Cols() {
		rows, cols = long, short
	}
	r.R0, r.R1 = rows(r.R0, r.R1, pl.MR)
	r.C0, r.C1 = cols(r.C0, r.C1, pl.NR)
	return r
}

// share returns n of so many shares of [begin, end), from the first on, which begin at
// whole units.
func share(begin, end, unit int64, first, n, shares uint8) (int64, int64) {
	units := ceilDiv(end-begin, unit)
	at := func(i uint8) int64 { return min(begin+units*int64(i)/int64(shares)*unit, end) }
	return at(first), at(first + n)
}
