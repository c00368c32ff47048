package tiling

// order lists the tasks. An operand whose slices scatter over all its panels
// must be read whole before the first tile; the other one is read a band at a
// time, each band just before the tiles that need it, so that its reading
// overlaps with multiplying. Along a band the tiles go back and forth: the
// panels used last are used next. By columns, the bands of the first column
// are read as its tiles need them.
func (pl *Plan) order() {
	if pl.KeptRows() == pl.M {
		return
	}
	pl.packWhole(PackB, pl.GridB, pl.B.Stored == DepthMajor)
	next := int32(0)
	if pl.A.Stored == DepthMajor {
		pl.packWhole(PackA, pl.GridA, true)
		next = int32(pl.blocks(pl.GridA, 0))
	}
	if pl.ByColumns {
		pl.orderColumns(next)
		return
	}
	for i := range int32(pl.TileRows()) {
		if pl.isKept(int(i)) {
			continue
		}
		next = pl.packBand(next, i)
		if pl.LoadC0 {
			pl.add(LoadC0, i, 0)
		}
		for j := range int32(pl.TileCols()) {
			if i%2 == 1 {
				j = int32(pl.TileCols()) - 1 - j
			}
			pl.add(Multiply, i, j)
		}
		if pl.Params.Store {
			pl.add(Store, i, 0)
		}
	}
}

// orderColumns lists the tiles along columns, back and forth; lane blocks of A
// before next are listed already.
func (pl *Plan) orderColumns(next int32) {
	last := int32(pl.TileCols()) - 1
	for j := range last + 1 {
		for i := range int32(pl.TileRows()) {
			if j%2 == 1 {
				i = int32(pl.TileRows()) - 1 - i
			}
			if pl.isKept(int(i)) {
				continue
			}
			if j == 0 {
				next = pl.packBand(next, i)
			}
			if j == 0 && pl.LoadC0 {
				pl.add(LoadC0, i, 0)
			}
			pl.add(Multiply, i, j)
			if j == last && pl.Params.Store {
				pl.add(Store, i, 0)
			}
		}
	}
}

func (pl *Plan) add(k Kind, i, j int32) { pl.tasks = append(pl.tasks, entry{kind: k, i: i, j: j}) }

// packWhole lists all blocks of an operand in the order in which it is stored.
func (pl *Plan) packWhole(k Kind, g Grid, scatters bool) {
	lanes, depths := int32(pl.blocks(g, 0)), int32(pl.blocks(g, 1))
	if scatters {
		for d := range depths {
			for l := range lanes {
				pl.add(k, l, d)
			}
		}
		return
	}
	for l := range lanes {
		pl.packLane(k, l, depths)
	}
}

// packBand lists the lane blocks of A from next on that row i of the tiles
// needs, and returns the first one behind them.
func (pl *Plan) packBand(next, i int32) int32 {
	g := pl.GridA
	if g.LaneStep > 0 {
		next = max(next, int32(pl.rows[i]/g.LaneStep))
	}
	for int64(next) < pl.blocks(g, 0) && int64(next)*g.LaneStep < pl.rows[i+1] {
		pl.packLane(PackA, next, int32(pl.blocks(g, 1)))
		next++
	}
	return next
}

func (pl *Plan) packLane(k Kind, l, depths int32) {
	for d := range depths {
		pl.add(k, l, d)
	}
}
