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
// interval on average and the time of a checkpoint, and the rows of tiles that
// were not complete then, half of one on average.
func (p *product) reckon(s journal.Stats, run time.Duration) *savings {
	tiles := 0
	for id := range p.plan.Tasks() {
		if p.plan.Kind(id) == tiling.Multiply {
			tiles++
		}
	}
	v := &savings{Interval: p.saver.every.Seconds(), Count: s.Count, Slowest: s.Slowest.Seconds()}
	v.Loss = v.Interval/2 + v.Slowest
	if run > 0 && tiles > 0 {
		v.Rate = float64(tiles) / run.Seconds()
		v.Loss += float64(p.plan.TileCols()) / v.Rate / 2
	}
	v.Loss = min(v.Loss, run.Seconds())
	return v
}

// text says it in a line.
func (v *savings) text() string {
	every := time.Duration(v.Interval * float64(time.Second))
	return fmt.Sprintf("every %v: a kill costs %s on average, %.3g tiles at %.3g/s",
		every, strings.TrimSpace(duration(v.Loss)), v.Loss*v.Rate, v.Rate)
}
