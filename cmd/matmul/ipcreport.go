package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/ipc"
	"matmul/internal/plots"
	"matmul/tune"
)

// ipcReport is what ipc prints.
type ipcReport struct {
	Curves  []ipc.Curve `json:"curves"`
	Cross   []crossing  `json:"thresholds"`
	Rate    float64     `json:"flops_per_worker"`
	Workers int         `json:"workers"`
	// TileSide is the side of the smallest cubic task, b×b×b, of which its
	// message is at most 0.1 %; TileSideK the same for a depth of 4096.
	TileSide  int64 `json:"smallest_tile_side"`
	TileSideK int64 `json:"smallest_tile_side_k4096"`
	// AloneN is the n of the n×n×n product below which the master alone is
	// done sooner; 0 where there is one worker, and alone is always sooner.
	AloneN  float64 `json:"alone_below_n"`
	Seconds float64 `json:"seconds"`
}

// A crossing is the x* of two ways, in bytes.
type crossing struct {
	Shared ipc.Way `json:"shared_memory"`
	Copied ipc.Way `json:"copied"`
	// Bytes is x*, 0 if shared memory is the faster at every size, and null if
	// it is the slower.
	Bytes *float64 `json:"x_star_bytes"`
}

// overhead is the share of a tile's time that its message may take.
const overhead = 0.001

func newIPCReport(curves []ipc.Curve, workers int) *ipcReport {
	r := &ipcReport{Curves: curves, Workers: workers}
	for _, shared := range []ipc.Way{ipc.Asleep, ipc.Spinning} {
		for _, copied := range []ipc.Way{ipc.Socket, ipc.Pipe} {
			r.Cross = append(r.Cross, r.cross(shared, copied))
		}
	}
	if k, err := gemm.Lookup(gemm.Auto, elem.Float64); err == nil {
		r.Rate = gemm.Peak(k, peakTime) * 1e9
	}
	// A task is two messages, there and back. Workers that are busy find the
	// next one waiting; those of a job that begins sleep.
	task, job := 2*r.Curves[ipc.Spinning].Bare, 2*r.Curves[ipc.Asleep].Bare
	r.TileSide = tune.SmallestTile(task, r.Rate, overhead, 0)
	r.TileSideK = tune.SmallestTile(task, r.Rate, overhead, 4096)
	if alone := tune.AloneBelow(job, r.Rate, workers); !math.IsInf(alone, 1) {
		r.AloneN = tune.Cube(alone)
	}
	return r
}

func (r *ipcReport) line(w ipc.Way) tune.Line { return r.Curves[w].Line }

// cross finds x*.
func (r *ipcReport) cross(shared, copied ipc.Way) crossing {
	c, a, b := crossing{Shared: shared, Copied: copied}, r.line(shared), r.line(copied)
	x, ok := tune.Crossing(a, b)
	switch {
	case ok:
	case a.Sigma <= b.Sigma:
		x = 0
	default:
		return c
	}
	c.Bytes = &x
	return c
}

func (c crossing) String() string {
	pair := fmt.Sprintf("%s against %s", c.Shared, c.Copied)
	switch {
	case c.Bytes == nil:
		return pair + ": copying is the faster at every size"
	case *c.Bytes == 0:
		return pair + ": shared memory is the faster at every size"
	}
	return fmt.Sprintf("%s: x* = %s", pair, tune.FormatBytes(int64(*c.Bytes)))
}

func (r *ipcReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%-18s %10s %10s %12s %18s\n", "way", "64 B", "sigma", "bandwidth", "error from 4 KiB")
	for _, c := range r.Curves {
		fmt.Fprintf(&text, "%-18s %10s %10s %7.2f GB/s %16.1f %%\n", c.Way, brief(c.Bare), brief(c.Line.Sigma), c.Line.Bandwidth/1e9, 100*c.Miss)
	}
	r.table(&text)
	for _, c := range r.Cross {
		fmt.Fprintln(&text, c)
	}
	fmt.Fprintf(&text, "smallest tile with at most 0.1 %% for its messages, at %.1f GFLOP/s: side %d at k = 4096, %d as a cube\n", r.Rate/1e9, r.TileSideK, r.TileSide)
	if r.AloneN > 0 {
		fmt.Fprintf(&text, "the master alone is done sooner than %d sleeping worker(s) below n = %.0f\n", r.Workers, r.AloneN)
	} else {
		fmt.Fprintf(&text, "with one worker the master alone is always done sooner\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// table writes what was measured and predicted at each size.
func (r *ipcReport) table(text *strings.Builder) {
	fmt.Fprintf(text, "\n%-9s", "size")
	for _, c := range r.Curves {
		fmt.Fprintf(text, "%22s", c.Way)
	}
	fmt.Fprintf(text, "   (measured, predicted)\n")
	for i, s := range r.Curves[0].Samples {
		fmt.Fprintf(text, "%-9s", tune.FormatBytes(s.Bytes))
		for _, c := range r.Curves {
			fmt.Fprintf(text, "%22s", brief(c.Samples[i].Seconds)+", "+brief(c.Line.Time(float64(s.Bytes))))
		}
		fmt.Fprintln(text)
	}
	fmt.Fprintln(text)
}

// brief writes seconds in three digits.
func brief(s float64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}} {
		if s >= u.size {
			return fmt.Sprintf("%.3g %s", s/u.size, u.unit)
		}
	}
	return fmt.Sprintf("%.3g ns", s*1e9)
}

// panel draws the curves.
func (r *ipcReport) panel() plots.Panel {
	m := &plots.Messages{Title: "handing data to another process: measured, and σ + x/B"}
	for _, c := range r.Curves {
		way := plots.Message{Name: c.Way.String(), Model: c.Line.Time}
		for _, s := range c.Samples {
			way.Measured = append(way.Measured, plots.Point{X: float64(s.Bytes), Y: s.Seconds})
		}
		m.Ways = append(m.Ways, way)
	}
	for _, c := range r.Cross {
		if c.Bytes != nil {
			name := fmt.Sprintf("x* = %s: %s / %s", tune.FormatBytes(int64(*c.Bytes)), c.Shared, c.Copied)
			m.Marks = append(m.Marks, plots.Mark{At: *c.Bytes, Name: name})
		}
	}
	return m
}
