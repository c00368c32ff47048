package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"matmul/master"
	"matmul/tiling"
	"matmul/tune"
)

// report is what run prints.
type report struct {
	A       string `json:"a"`
	B       string `json:"b"`
	Out     string `json:"out"`
	M       int64  `json:"m"`
	N       int64  `json:"n"`
	K       int64  `json:"k"`
	DType   string `json:"dtype"`
	Workers int    `json:"workers"`
	ISA     string `json:"isa"`
	Kernel  string `json:"kernel"`
	TileM   int64  `json:"tile_m"`
	TileN   int64  `json:"tile_n"`
	Segment string `json:"segment"`
	// Profile is the tuner's file that chose the sizes; "" if there is none.
	Profile string `json:"profile"`
	Format  string `json:"format"` // of the output
	// Bands are nil unless the product was done in bands.
	Bands  *bandReport `json:"bands,omitempty"`
	Bytes  int64       `json:"segment_bytes"`
	Tasks  int         `json:"tasks"`
	Kept   int64       `json:"kept_rows"` // of C, from the run that was resumed
	Deaths int         `json:"worker_deaths"`
	// Unpinned says why workers have no processor each, if another matmul is it.
	Unpinned string  `json:"unpinned,omitempty"`
	Seconds  seconds `json:"seconds"`
	// Span is the time from the begin of the first task to the end of the last
	// one, and Busy that in which each worker worked, by the scoreboard, both in
	// seconds.
	Span float64   `json:"span"`
	Busy []float64 `json:"worker_busy"`
	// GFLOPS is 2mnk over the time for multiplying. Share is its part of the
	// FMA limit, which is measured after the job; 0 if that failed.
	GFLOPS float64  `json:"gflops"`
	Peak   float64  `json:"peak_gflops"`
	Share  float64  `json:"share"`
	Verify *verdict `json:"verify,omitempty"`
	// ABFT is nil without checks of tiles.
	ABFT *checks `json:"abft,omitempty"`
	// Checkpoint is nil without checkpoints.
	Checkpoint *savings `json:"checkpoint,omitempty"`
	// Ranks is nil where one process did it.
	Ranks *ranksReport `json:"ranks,omitempty"`
}

// checks are what checking tiles brought to light.
type checks struct {
	Wrong   int `json:"wrong_tiles"` // done again, each time counted
	Retired int `json:"retired_workers"`
}

// text says it in a line.
func (c *checks) text() string {
	if c.Wrong == 0 {
		return "every tile passed its check"
	}
	return fmt.Sprintf("%d tile(s) failed their check and were done again, %d worker(s) were replaced; the result is not affected", c.Wrong, c.Retired)
}

// seconds are times. Kinds of task overlap: what pack, multiply and store took
// is the time that all of them took together, divided as [shares] says.
type seconds struct {
	Total    float64 `json:"total"`
	Pack     float64 `json:"pack"`
	Multiply float64 `json:"multiply"`
	Store    float64 `json:"store"`
	Verify   float64 `json:"verify"`
	Write    float64 `json:"write"` // in another format than .npy, and reading it again
	Sync     float64 `json:"sync"`
}

func newReport(p *product, r master.Report, peak float64) report {
	rep := report{
		A: p.in.a.Path, B: p.in.b.Path, Out: p.out,
		M: p.plan.M, N: p.plan.N, K: p.in.k(p.transA), DType: p.plan.Type.String(),
		Workers: p.crew.workers, ISA: p.plan.Kernel.ISA.String(), Kernel: p.plan.Kernel.String(),
		TileM: p.plan.TileM, TileN: p.plan.TileN, Segment: p.crew.kind.String(), Bytes: p.plan.Layout.Bytes(),
		Format: p.to.Format.String(), Bands: p.bandReport(), Profile: p.tuned.path, Unpinned: p.crew.unpinned, Tasks: r.Tasks, Kept: p.keptRows(), Deaths: r.Deaths, Peak: peak / 1e9, Seconds: shares(r), Span: span(r).Seconds(),
	}
	if rep.Bands != nil {
		rep.TileM, rep.TileN, rep.Bytes = rep.Bands.TileM, rep.Bands.TileN, rep.Bands.Bytes
	}
	if p.abft {
		rep.ABFT = &checks{r.Wrong, r.Retired}
	}
	if rep.Seconds.Multiply > 0 {
		computed := p.plan.Problem
		computed.M -= rep.Kept
		rep.GFLOPS = computed.Flops() / rep.Seconds.Multiply / 1e9
	}
	if rep.Peak > 0 {
		rep.Share = rep.GFLOPS / rep.Peak
	}
	return rep
}

// shares divides the time from the first task's begin to the last one's end
// among the kinds of task, as the workers' time was.
func shares(r master.Report) seconds {
	var busy time.Duration
	for _, d := range r.Busy {
		busy += d
	}
	share := func(kinds ...tiling.Kind) (s float64) {
		for _, k := range kinds {
			s += r.Busy[k].Seconds()
		}
		return s * float64(span(r)) / max(1, float64(busy))
	}
	return seconds{Pack: share(tiling.PackA, tiling.PackB, tiling.LoadC0), Multiply: share(tiling.Multiply), Store: share(tiling.Store)}
}

// span is the time from the begin of the first task to the end of the last one.
func span(r master.Report) time.Duration {
	any, first, last := false, time.Duration(0), time.Duration(0)
	for kind, d := range r.Busy {
		if d == 0 {
			continue
		}
		if s := r.Span[kind]; !any || s[0] < first {
			any, first = true, s[0]
		}
		last = max(last, r.Span[kind][1])
	}
	return last - first
}

// k returns the inner dimension.
func (in inputs) k(transA bool) int64 { return operand(in.a, in.a.AsRow(), transA).Cols }

func (r *report) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("%s: %d×%d %s = %d×%d times %d×%d", oneLine(r.Out), r.M, r.N, r.DType, r.M, r.K, r.K, r.N)
	line("  workers   %d, kernel %s, tile %d×%d, %s segment of %s",
		r.Workers, r.Kernel, r.TileM, r.TileN, r.Segment, tune.FormatBytes(r.Bytes))
	if r.Ranks != nil {
		line("  ranks     %s", r.Ranks.text())
	}
	if r.Bands != nil {
		line("  bands     %s", r.Bands.text())
	}
	if r.Profile != "" {
		line("  profile   %s", oneLine(r.Profile))
	}
	if r.Unpinned != "" {
		line("  pinning   none: %s", r.Unpinned)
	}
	if r.Kept > 0 {
		line("  kept      %d of %d rows from before", r.Kept, r.M)
	}
	line("  pack      %s", duration(r.Seconds.Pack))
	line("  multiply  %s  %s", duration(r.Seconds.Multiply), r.rate())
	line("  store     %s", duration(r.Seconds.Store))
	if r.Verify != nil {
		line("  verify    %s  %s: right", duration(r.Seconds.Verify), r.Verify.Method)
	} else {
		line("  verify    none")
	}
	if r.Seconds.Write > 0 {
		line("  write     %s  as %s", duration(r.Seconds.Write), r.Format)
	}
	line("  sync      %s", duration(r.Seconds.Sync))
	line("  total     %s", duration(r.Seconds.Total))
	if c := r.Checkpoint; c != nil {
		line("  %d checkpoint(s), %s at most, %s", c.Count, strings.TrimSpace(duration(c.Slowest)), c.text())
	}
	if c := r.ABFT; c != nil {
		line("  %s", c.text())
	}
	if r.Deaths > 0 {
		line("  %d worker(s) died or could not be started; the result is not affected", r.Deaths)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// rate says how fast it was, and how fast it could have been.
func (r *report) rate() string {
	s := fmt.Sprintf("%.1f GFLOP/s", r.GFLOPS)
	if r.Peak > 0 {
		s += fmt.Sprintf(", %.1f %% of the FMA limit of %.1f", 100*r.Share, r.Peak)
	}
	return s
}

// duration writes seconds with three or four digits and aligned units.
func duration(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%7.1f ms", 1e3*s)
	}
	return fmt.Sprintf("%7.2f s ", s)
}
