package main

import (
	"fmt"
	"strings"
	"time"

	"matmul/internal/journal"
	"matmul/tiling"
)

// savings are what checkpoints cost and what they save, as they are printed.
type savings struct {
	Interval float64 `json:"interval_s"`
	Count    int     `json:"count"`
	Slowest  float64 `json:"slowest_s"`
	Rate     float64 `json:"tiles_per_s"`
	// Loss is what a kill at a random moment costs on average.
	Loss float64 `json:"expected_loss_s"`
}

// reckon returns what checkpoints save in a run of the given length. A kill
// costs what was computed since the last checkpoint began, which is half an
// interval on average and the time of a checkpoint, and what was not stored
// then: half a row of tiles on average, of bands half a super-tile, and the tiles that workers were at, since
// a STORE waits behind one of them.
func (p *product) reckon(s journal.Stats, run time.Duration) *savings {
	tiles, stored := p.tiles(), float64(p.plan.TileCols())/2
	if p.banded != nil {
		stored = float64(tiles) / float64(max(p.banded.Bands.Down()*p.banded.Bands.Across(), 1)) / 2
	}
	v := &savings{Interval: p.saver.every.Seconds(), Count: s.Count, Slowest: s.Slowest.Seconds()}
	v.Loss = v.Interval/2 + v.Slowest
	if run > 0 && tiles > 0 {
		v.Rate = float64(tiles) / run.Seconds()
		v.Loss += (stored + float64(p.crew.workers)) / v.Rate
	}
	v.Loss = min(v.Loss, run.Seconds())
	return v
}

// tiles returns how many tiles are multiplied.
func (p *product) tiles() (n int) {
	if p.banded != nil {
		b := p.bandReport()
		return int(b.Steps * tiling.Tiles(b.Height, b.TileM) * tiling.Tiles(b.Width, b.TileN))
	}
	for id := range p.plan.Tasks() {
		if p.plan.Kind(id) == tiling.Multiply {
			n++
		}
	}
	return n
}

// text says it in a line.
func (v *savings) text() string {
	every := time.Duration(v.Interval * float64(time.Second))
	return fmt.Sprintf("every %v: a kill costs %s on average, %.3g tiles at %.3g/s",
		every, strings.TrimSpace(duration(v.Loss)), v.Loss*v.Rate, v.Rate)
}
