package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"matmul/internal/plots"
	"matmul/internal/trace"
)

const traceHelp = `trace reads a file that --trace has written, checks it, and shows how long each
worker worked and was idle. The idle time is that part of the time between the
begin of the first task and the end of the last one in which a worker had no task
that it worked on: it waited for the master, for other workers, or for its start.
Of ranks that did a product together it shows each one's workers, its steps, and the
panels that came meanwhile; the file of all is written by rank 0.

The file is in the Chrome trace-event format: Perfetto (ui.perfetto.dev) and
chrome://tracing show it, too.`

func newTrace() *cobra.Command {
	var plot string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "trace FILE",
		Short: "Show what workers did when, and their idle time",
		Long:  traceHelp,
		Example: `  matmul run A.npy B.npy -o C.npy --trace c.json
  matmul trace c.json --plot c.svg`,
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return runTrace(cmd, args[0], plot, asJSON) },
	}
	cmd.Flags().StringVar(&plot, "plot", "", "draw a timeline to a `FILE`, .svg or .png")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func runTrace(cmd *cobra.Command, path, plot string, asJSON bool) error {
	page, err := createPlot(plot)
	if err != nil {
		return err
	}
	defer page.Abort()
	f, err := openRegular(path)
	if err != nil {
		return inputf(path, "the trace cannot be read: %v", reason(err))
	}
	defer f.Close()
	t, err := trace.Read(f)
	if err != nil {
		return inputf(path, "not a trace of matmul: %v", reason(err))
	}
	r := newTraceReport(path, t)
	if err := r.print(cmd.OutOrStdout(), asJSON); err != nil {
		return err
	}
	if page != nil {
		panels := []plots.Panel{timeline(t, r)}
		if len(t.Rate) > 0 {
			panels = append(panels, speeds(t))
		}
		return page.Write(panels...)
	}
	return nil
}

// traceReport is what trace prints. Times are seconds.
type traceReport struct {
	File    string     `json:"file"`
	Name    string     `json:"name"` // of what was traced
	Info    trace.Info `json:"about"`
	Seconds float64    `json:"seconds"` // from the begin of the first task to the end of the last one
	Tasks   int        `json:"tasks"`
	Idle    float64    `json:"idle"` // part of the workers' time, 0 to 1
	Rows    []traceRow `json:"rows"`
	kinds   []string   // of tasks, in the order of their first
}

// traceRow is what one worker did.
type traceRow struct {
	Name  string             `json:"name"`
	Tasks int                `json:"tasks"`
	Busy  float64            `json:"busy"`
	Idle  float64            `json:"idle"` // part of the report's seconds, 0 to 1
	Kinds map[string]float64 `json:"kinds"`
	Steps bool               `json:"steps,omitempty"` // of a rank: they are no tasks
}

func newTraceReport(path string, t *trace.Trace) *traceReport {
	r := &traceReport{File: path, Name: t.Name, Info: t.Info, Seconds: t.To - t.From}
	doers := 0.0
	for i := range t.Rows {
		row := &t.Rows[i]
		tr := traceRow{Name: row.Name, Tasks: len(row.Slices), Busy: row.Busy(), Idle: t.Idle(row), Kinds: map[string]float64{}, Steps: row.Steps}
		for _, s := range row.Slices {
			if !slices.Contains(r.kinds, s.Kind) {
				r.kinds = append(r.kinds, s.Kind)
			}
			tr.Kinds[s.Kind] += s.End - s.Begin
		}
		r.Rows = append(r.Rows, tr)
		if !tr.Steps {
			r.Tasks += tr.Tasks
			r.Idle += tr.Idle
			doers++
		}
	}
	r.Idle /= max(doers, 1)
	return r
}

func (r *traceReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s, %d tasks in %s, idle %.1f %%\n", oneLine(r.File), oneLine(r.Name), r.Tasks, strings.TrimSpace(duration(r.Seconds)), 100*r.Idle)
	width := 12
	for _, row := range r.Rows {
		width = max(width, len(oneLine(row.Name)))
	}
	fmt.Fprintf(&text, "  %-*s %8s %12s %8s", width, "", "tasks", "busy", "idle")
	for _, kind := range r.kinds {
		fmt.Fprintf(&text, " %12s", oneLine(kind))
	}
	text.WriteByte('\n')
	for _, row := range r.Rows {
		fmt.Fprintf(&text, "  %-*s %8d %12s %6.1f %%", width, oneLine(row.Name), row.Tasks, strings.TrimSpace(duration(row.Busy)), 100*row.Idle)
		for _, kind := range r.kinds {
			fmt.Fprintf(&text, " %12s", strings.TrimSpace(duration(row.Kinds[kind])))
		}
		text.WriteByte('\n')
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// timeline is the picture of what each worker did.
func timeline(t *trace.Trace, r *traceReport) plots.Panel {
	p := &plots.Timeline{Title: fmt.Sprintf("%s: %d tasks, idle %.1f %%", oneLine(t.Name), r.Tasks, 100*r.Idle), Seconds: r.Seconds}
	for i, row := range t.Rows {
		lane := plots.Lane{Name: oneLine(row.Name), Note: fmt.Sprintf("idle %.1f %%", 100*r.Rows[i].Idle)}
		for _, s := range row.Slices {
			lane.Spans = append(lane.Spans, plots.Span{Kind: s.Kind, From: s.Begin - t.From, To: s.End - t.From})
		}
		p.Lanes = append(p.Lanes, lane)
	}
	return p
}

// speeds is the picture of the speed over time.
func speeds(t *trace.Trace) plots.Panel {
	p := &plots.Steps{Title: "speed", Y: "speed (GFLOP/s)", Seconds: t.To - t.From, Limit: t.Info.Limit}
	for _, v := range t.Rate {
		p.Points = append(p.Points, plots.Point{X: max(v.At-t.From, 0), Y: v.GFLOPS})
	}
	return p
}
