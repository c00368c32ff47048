package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"matmul/master"
	"matmul/tiling"
	"matmul/tune"
)

// report is what run prints.
type report struct {
	A       string  `json:"a"`
	B       string  `json:"b"`
	Out     string  `json:"out"`
	M       int64   `json:"m"`
	N       int64   `json:"n"`
	K       int64   `json:"k"`
	DType   string  `json:"dtype"`
	Workers int     `json:"workers"`
	ISA     string  `json:"isa"`
	Kernel  string  `json:"kernel"`
	TileM   int64   `json:"tile_m"`
	TileN   int64   `json:"tile_n"`
	Segment string  `json:"segment"`
	Bytes   int64   `json:"segment_bytes"`
	Tasks   int     `json:"tasks"`
	Deaths  int     `json:"worker_deaths"`
	Seconds seconds `json:"seconds"`
	// GFLOPS is the rate while multiplying: 2mnk over the time that a worker
	// spent in MULTIPLY tasks on average. Share is its part of the FMA limit.
	GFLOPS float64  `json:"gflops"`
	Peak   float64  `json:"peak_gflops"`
	Share  float64  `json:"share"`
	Verify *verdict `json:"verify,omitempty"`
}

// seconds are times. Those of tasks are averages over the workers: they add up
// to the time that a worker was busy.
type seconds struct {
	Total    float64 `json:"total"`
	Pack     float64 `json:"pack"`
	Multiply float64 `json:"multiply"`
	Store    float64 `json:"store"`
	Verify   float64 `json:"verify"`
	Sync     float64 `json:"sync"`
}

func newReport(p *product, r master.Report, peak float64) report {
	each := func(kinds ...tiling.Kind) (s float64) {
		for _, k := range kinds {
			s += r.Busy[k].Seconds() / float64(p.crew.workers)
		}
		return s
	}
	rep := report{
		A: p.in.a.Path, B: p.in.b.Path, Out: p.out,
		M: p.plan.M, N: p.plan.N, K: p.in.k(p.transA), DType: p.plan.Type.String(),
		Workers: p.crew.workers, ISA: p.plan.Kernel.ISA.String(), Kernel: p.plan.Kernel.String(),
		TileM: p.plan.TileM, TileN: p.plan.TileN, Segment: p.crew.kind.String(), Bytes: p.plan.Layout.Bytes(),
		Tasks: r.Tasks, Deaths: r.Deaths, Peak: peak / 1e9,
		Seconds: seconds{Pack: each(tiling.PackA, tiling.PackB, tiling.LoadC0), Multiply: each(tiling.Multiply), Store: each(tiling.Store)},
	}
	if rep.Seconds.Multiply > 0 {
		rep.GFLOPS = p.plan.Flops() / rep.Seconds.Multiply / 1e9
	}
	if rep.Peak > 0 {
		rep.Share = rep.GFLOPS / rep.Peak
	}
	return rep
}

// k returns the inner dimension.
func (in inputs) k(transA bool) int64 { return operand(in.a, in.a.AsRow(), transA).Cols }

func (r *report) print(cmd *cobra.Command, asJSON bool) error {
	out := output{cmd: cmd}
	if asJSON {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		out.printf("%s\n", b)
		return out.result()
	}
	out.printf("%s: %d×%d %s = %d×%d times %d×%d\n", r.Out, r.M, r.N, r.DType, r.M, r.K, r.K, r.N)
	out.printf("  workers   %d, kernel %s, tile %d×%d, %s segment of %s\n",
		r.Workers, r.Kernel, r.TileM, r.TileN, r.Segment, tune.FormatBytes(r.Bytes))
	out.printf("  pack      %s\n", duration(r.Seconds.Pack))
	out.printf("  multiply  %s  %.1f GFLOP/s, %.1f %% of the FMA limit of %.1f\n",
		duration(r.Seconds.Multiply), r.GFLOPS, 100*r.Share, r.Peak)
	out.printf("  store     %s\n", duration(r.Seconds.Store))
	if r.Verify != nil {
		out.printf("  verify    %s  %s: right\n", duration(r.Seconds.Verify), r.Verify.Method)
	} else {
		out.printf("  verify    none\n")
	}
	out.printf("  sync      %s\n", duration(r.Seconds.Sync))
	out.printf("  total     %s\n", duration(r.Seconds.Total))
	if r.Deaths > 0 {
		out.printf("  %d worker(s) died and were replaced; the result is not affected\n", r.Deaths)
	}
	return out.result()
}

// duration writes seconds with three or four digits and aligned units.
func duration(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%7.1f ms", 1e3*s)
	}
	return fmt.Sprintf("%7.2f s ", s)
}
