package main

import (
	"encoding/json"
	"io"
	"math"
)

// comparison is how much faster than a peer matmul is.
type comparison struct {
	Peer  string   `json:"peer"`
	Ratio float64  `json:"ratio"`             // median of peer's time / our time, pair by pair
	Lower *float64 `json:"lower95,omitempty"` // lower bound of it; none with fewer than 5 rounds
}

// row is one line of the output: a size and a contender.
type row struct {
	M         int64     `json:"m"`
	N         int64     `json:"n"`
	K         int64     `json:"k"`
	Contender string    `json:"contender"`
	DType     string    `json:"dtype"`
	Workers   int       `json:"workers"`
	Library   string    `json:"library,omitempty"`
	About     string    `json:"about,omitempty"`
	Note      string    `json:"note,omitempty"`
	Reps      int       `json:"reps"`              // rounds that count
	Dropped   int       `json:"dropped,omitempty"` // rounds that do not: see -alone
	Repeat    int       `json:"products_per_turn"`
	Median    float64   `json:"median_s"`
	GFLOPS    float64   `json:"gflops"`
	Limit     float64   `json:"limit_gflops"`
	Share     float64   `json:"share"`
	Packed    float64   `json:"packed_s,omitempty"`     // matmul: of operands that were packed before
	Alone     float64   `json:"packed_share,omitempty"` // matmul: its share of the limit
	Best      string    `json:"best_peer,omitempty"`    // matmul: the fastest of the libraries
	Seconds   []float64 `json:"seconds"`                // by round

	// Versus holds, for matmul, every peer; for a peer, itself.
	Versus []comparison `json:"versus,omitempty"`

	size size
}

// rows returns the results, size by size, matmul first.
func (a *arena) rows() (all []row) {
	for _, b := range a.boards {
		best := b.best()
		var peers []comparison
		first := len(all)
		for _, p := range b.players {
			r := a.row(b, p)
			if p.kind != kindMatmul {
				r.Versus = []comparison{b.compare(p)}
				peers = append(peers, r.Versus[0])
			}
			all = append(all, r)
		}
		all[first].Versus = peers
		if best != nil {
			all[first].Best = best.name
		}
	}
	return all
}

func (a *arena) row(b *board, p *child) row {
	s := b.size
	r := row{M: s.M, N: s.N, K: s.K, size: s, Contender: p.name, DType: a.o.dtype.String(), Workers: a.o.workers,
		Library: p.path, About: p.about, Note: p.note, Reps: len(b.rounds), Dropped: b.dropped, Repeat: b.repeat,
		Seconds: b.seconds(p), Limit: median(b.limits()) / 1e9}
	r.Median = median(r.Seconds)
	r.GFLOPS = s.flops() / r.Median / 1e9
	r.Share = r.GFLOPS / r.Limit
	if p.kind == kindMatmul {
		r.Packed = median(b.packed())
	}
	if r.Packed > 0 {
		r.Alone = s.flops() / r.Packed / 1e9 / r.Limit
	}
	return r
}

// best returns the fastest library; without one, gonum; nil if we are alone.
func (b *board) best() (best *child) {
	for _, p := range b.players[1:] {
		if best == nil || best.kind == kindGonum || p.kind == kindLibrary && median(b.seconds(p)) < median(b.seconds(best)) {
			best = p
		}
	}
	return best
}

func (b *board) compare(p *child) comparison {
	q := ratios(b.seconds(p), b.seconds(b.players[0]))
	c := comparison{Peer: p.name, Ratio: median(q)}
	if lower := lowerBound(q); !math.IsNaN(lower) {
		c.Lower = &lower
	}
	return c
}

// against returns matmul's comparison with a peer.
func (r *row) against(peer string) *comparison {
	for i, c := range r.Versus {
		if c.Peer == peer {
			return &r.Versus[i]
		}
	}
	return nil
}

// printJSON writes one object per line.
func printJSON(out io.Writer, rows []row) error {
	enc := json.NewEncoder(out)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
