package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"matmul/internal/ipc"
	"matmul/internal/plots"
	"matmul/tiling"
	"matmul/tune"
)

// A speedPoint is what a choice reached at one size.
type speedPoint struct {
	size   tiling.Problem
	choice tune.Choice
	gflops float64
}

// points lists what a search measured.
func (r *tuneReport) points() (all []speedPoint) {
	for _, c := range r.Candidates {
		for i, v := range c.GFLOPS {
			if v > 0 {
				all = append(all, speedPoint{r.Sizes[i], c.Choice, v})
			}
		}
	}
	return all
}

// sweepPoints lists what a sweep measured.
func sweepPoints(records []tune.Record) (all []speedPoint) {
	for _, r := range records {
		if r.GFLOPS > 0 {
			all = append(all, speedPoint{tiling.Problem{M: r.M, N: r.N, K: r.K}, r.Choice, r.GFLOPS})
		}
	}
	return all
}

// panels draws the points: a heat map over tile × KC of each size, speed
// against the tile, and a roofline.
func (x *tuning) panels(all []speedPoint, limit float64, chosen tune.Choice) (panels []plots.Panel) {
	all = slices.DeleteFunc(all, func(s speedPoint) bool { return s.choice.ISA != chosen.ISA })
	for _, p := range x.lab.sizes {
		here := slices.DeleteFunc(slices.Clone(all), func(s speedPoint) bool { return s.size != p })
		if len(here) > 0 {
			panels = append(panels, x.heatMap(p, here, limit))
		}
	}
	return append(panels, x.curves(all, limit, chosen), x.roofline(all, limit))
}

// about is the end of each title.
func (x *tuning) about() string {
	return fmt.Sprintf("%s, %d worker(s)", x.t, x.crew.workers)
}

// heatMap shows the best speed for each tile and KC.
func (x *tuning) heatMap(p tiling.Problem, all []speedPoint, limit float64) plots.Panel {
	h := &plots.HeatMap{
		Title: fmt.Sprintf("GFLOP/s over tile × KC, n = %s, %s", sizeText(p), x.about()),
		X:     "tile of C (rows × columns, elements)", Y: "KC (steps)", Limit: limit, BestRow: -1, BestCol: -1,
	}
	var tiles [][2]int64
	var kcs []int
	for _, s := range all {
		tiles, kcs = append(tiles, x.tile(s)), append(kcs, s.choice.KC)
	}
	slices.SortFunc(tiles, func(a, b [2]int64) int { return cmp.Or(cmp.Compare(a[0]*a[1], b[0]*b[1]), cmp.Compare(a[0], b[0])) })
	tiles, kcs = slices.Compact(tiles), slices.Compact(slices.Sorted(slices.Values(kcs)))
	for _, t := range tiles {
		h.Columns = append(h.Columns, fmt.Sprintf("%d×%d", t[0], t[1]))
	}
	for _, kc := range kcs {
		h.Rows = append(h.Rows, fmt.Sprint(kc))
		h.Values = append(h.Values, slices.Repeat([]float64{math.NaN()}, len(tiles)))
	}
	best := 0.0
	for _, s := range all {
		row, col := slices.Index(kcs, s.choice.KC), slices.Index(tiles, x.tile(s))
		if v := &h.Values[row][col]; !(*v >= s.gflops) {
			*v = s.gflops
		}
		if s.gflops > best {
			best, h.BestRow, h.BestCol = s.gflops, row, col
		}
	}
	return h
}

// tile returns the rows and columns of the largest tile that a choice gives.
func (x *tuning) tile(s speedPoint) [2]int64 {
	u, err := x.lab.tuned(s.choice)
	if err != nil {
		return [2]int64{}
	}
	product := x.lab.series(s.size, u)
	if product.settle() != nil {
		return [2]int64{}
	}
	return [2]int64{product.plan.TileM, product.plan.TileN}
}

// curves shows the best speed for each tile, with what caches hold.
func (x *tuning) curves(all []speedPoint, limit float64, chosen tune.Choice) plots.Panel {
	c := &plots.Curves{
		Title: "speed against the tile, " + x.about(), X: "tile, √(rows × columns) (elements, logarithmic)",
		Y: "speed (GFLOP/s)", Limit: limit, LimitName: fmt.Sprintf("FMA limit, %.1f", limit),
	}
	for _, p := range x.lab.sizes {
		best := map[float64]float64{}
		for _, s := range all {
			if t := x.tile(s); s.size == p && t[0] > 0 {
				side := math.Sqrt(float64(t[0] * t[1]))
				best[side] = max(best[side], s.gflops)
			}
		}
		series := plots.Series{Name: "n = " + sizeText(p)}
		for side, v := range best {
			series.Points = append(series.Points, plots.Point{X: side, Y: v})
		}
		slices.SortFunc(series.Points, func(a, b plots.Point) int { return cmp.Compare(a.X, b.X) })
		c.Series = append(c.Series, series)
	}
	share, size := x.crew.share(), x.t.Size()
	for level, bytes := range []int64{share.L1, share.L2, share.L3} {
		if bytes > 0 {
			c.Marks = append(c.Marks, plots.Mark{At: float64(tune.SquareTile(bytes, size)),
				Name: fmt.Sprintf("model: 3 tiles fill L%d, %s", level+1, tune.FormatBytes(bytes))})
		}
	}
	p := x.lab.sizes[len(x.lab.sizes)-1]
	if t := x.tile(speedPoint{p, chosen, 0}); t[0] > 0 {
		c.Marks = append(c.Marks, plots.Mark{At: math.Sqrt(float64(t[0] * t[1])), Name: fmt.Sprintf("default or chosen, n = %s", sizeText(p))})
	}
	return c
}

// roofline shows the speeds under the limits of units and memory.
func (x *tuning) roofline(all []speedPoint, limit float64) plots.Panel {
	bandwidth := ipc.ReadBandwidth(x.crew.workers, x.crew.limits.Pins(x.crew.machine, x.crew.workers))
	r := &plots.Roofline{
		Title: fmt.Sprintf("roofline, %s; memory is read at %.1f GB/s", x.about(), bandwidth/1e9),
		X:     "intensity of a tile (flop per byte of memory, logarithmic)",
		Limit: limit, Bandwidth: bandwidth / 1e9,
	}
	for _, p := range x.lab.sizes {
		series := plots.Series{Name: "n = " + sizeText(p)}
		for _, s := range all {
			if t := x.tile(s); s.size == p && t[0] > 0 {
				flops := 2 * float64(t[0]) * float64(t[1]) * float64(p.K)
				moved := tune.MemoryTraffic(x.t.Size(), s.choice.Blocking(), t[0], t[1], p.K)
				series.Points = append(series.Points, plots.Point{X: flops / moved, Y: s.gflops})
			}
		}
		r.Series = append(r.Series, series)
	}
	return r
}
