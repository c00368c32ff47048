package main

import (
	"fmt"
	"strings"

	"matmul/internal/summa"
	"matmul/tune"
)

// ranksReport is what run prints of a product that several ranks did.
type ranksReport struct {
	Ranks   int     `json:"ranks"`
	P       int     `json:"grid_rows"`
	Q       int     `json:"grid_cols"`
	Panel   int64   `json:"panel"`
	Bands   int64   `json:"bands"`
	Bytes   float64 `json:"received_bytes_per_rank"`
	Exposed float64 `json:"exposed_seconds"` // that rank 0 was not multiplying in
}

// text says it in a line.
func (r *ranksReport) text() string {
	return fmt.Sprintf("%d as %v, panels of %d in %d band(s), %s received by each, %s not hidden", r.Ranks, summa.Grid{P: r.P, Q: r.Q},
		r.Panel, r.Bands, tune.FormatBytes(int64(r.Bytes)), strings.TrimSpace(duration(r.Exposed)))
}
