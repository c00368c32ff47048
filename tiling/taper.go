package tiling

import "math"

// Taper says how the last tiles are cut, so that workers end together: who takes
// one takes no more of it than suits, see [Pace]. Each part of operands that
// are not packed packs one of them once more, and so parts must be worth it.
type Taper struct {
	Workers int64   // that are to end together; with fewer than 2 nothing is cut
	Side    int64   // rows or columns of a part, at least
	Flops   float64 // of a part, at least
	Free    bool    // tiles need not be as large as planned where each worker has one: see [Plan.Strips]
}

// TaperFor returns what suits so many workers and tiles of a shape.
func TaperFor(workers int, s Shape) Taper {
	return Taper{Workers: int64(workers), Side: s.Part, Flops: 1e8}
}

// Of what is held back from strips: the columns, and the rows of a part, at least.
const (
	heldColumns = 96
	heldRows    = 64
)

// heldFlops are the operations of a part of that at least: what takes little of the time
// of all, and is worth a message.
func (pl *Plan) heldFlops() float64 { return max(4e7, pl.Flops()/256) }

// cuts reports whether tiles may be cut: if there are some for each worker. Of fewer
// each worker has its own, and smaller ones are only slower.
func (pl *Plan) cuts() bool {
	w := pl.Taper.Workers
	return w >= 2 && int64(pl.TileRows()*pl.TileCols()) >= 2*w &&
		Problem{pl.tileM, pl.tileN, pl.K}.Flops() >= 2*pl.Taper.Flops
}

// Strips reports whether each worker has one tile of the plan, all side by side, and
// the workers' speeds may say how much of C each takes: the edges between them are then
// where the tiles are handed out, one after the other.
func (pl *Plan) Strips() bool {
	w := int(pl.Taper.Workers)
	return pl.Taper.Free && w >= 2 && pl.K > 0 && pl.kept == nil && pl.Tasks() == w &&
		(pl.TileRows() == w && pl.TileCols() == 1 || pl.TileRows() == 1 && pl.TileCols() == w)
}

// cut takes a part from a tile, or from what is left of one, for a worker whose share of
// all that is left is so many operations: three quarters of them, since it is an
// estimate, or all of them where a quarter would not be worth a part. The part is whole
// units along the longer side. ok is false if the tile is better taken whole: if the
// rest would be less than half a part, or the tile is no two of them.
func (pl *Plan) cut(r Rect, share float64) (part, rest Rect, ok bool) {
	all := r.Flops(pl.K)
	if share >= all {
		return r, rest, false
	}
	rows := r.Rows() > r.Cols()
	side, unit := r.Cols(), pl.NR
	if rows {
		side, unit = r.Rows(), pl.MR
	}
	units := ceilDiv(side, unit)
	worth, flops := pl.Taper.Side, pl.Taper.Flops
	if pl.Strips() {
		worth, flops = heldRows, pl.heldFlops()
	}
	least := max(ceilDiv(worth, unit), int64(math.Ceil(float64(units)*flops/all)))
	n := int64(float64(units) * share / all)
	if n/4 >= least {
		n -= n / 4
	}
	if n = max(n, least); n > units-least/2 || units < 2*least {
		return r, rest, false
	}
	n = min(n, units-least)
	part, rest = r, r
	if rows {
		part.R1 = r.R0 + n*unit
		rest.R0 = part.R1
	} else {
		part.C1 = r.C0 + n*unit
		rest.C0 = part.C1
	}
	return part, rest, true
}
