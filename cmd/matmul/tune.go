package main

import (
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/plots"
	"matmul/tune"
)

// tuneFlags are the flags of tune.
type tuneFlags struct {
	poolFlags
	sizes             []string
	dtype, grid, plot string
	sweep, output     string
	budget            time.Duration
	reps              int
	asJSON            bool
	progress          *progressFlags
	plotFile          *plots.File
}

const tuneHelp = `tune finds the sizes that suit this machine, and remembers them for run and
bench. It starts from what models say of the caches, lets candidates compete in
interleaved rounds, drops the slower ones, and replaces what is used so far only
by what wins again in a fresh comparison. Ctrl-C keeps what was found by then:
the next search begins with it.

No choice changes a bit of any product.

--sweep measures every point of a grid instead, each NAME=LOW:HIGH:STEP,
NAME=LOW:HIGH:xFACTOR or NAME=VALUE|VALUE, with NAME one of isa, mc, kc, nc, tile,
tasks, order, huge and spin. The file gets a line of JSON for each finished
point; the same command goes on where it was stopped.

A profile is stored for each processor model, element type, --isa and number of
workers.`

func newTune() *cobra.Command {
	f := &tuneFlags{}
	cmd := &cobra.Command{
		Use:   "tune",
		Short: "Find the sizes that suit this machine, and remember them",
		Long:  tuneHelp,
		Example: `  matmul tune
  matmul tune --dtype float32 --budget 120s --plot tune.svg
  matmul tune --sweep tile=64:2048:x2,kc=128:512:64 --sizes 2048 -o sweep.jsonl
  matmul tune show`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.register(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&f.sizes, "sizes", []string{"1024", "2048", "4096"}, "`LIST` of N or MxNxK that count alike")
	fl.StringVar(&f.dtype, "dtype", "float64", "element type: float64 or float32")
	fl.DurationVar(&f.budget, "budget", time.Minute, "how long to search")
	fl.StringVar(&f.grid, "grid", "", "`FILE` with candidates: a JSON object of lists by name")
	fl.StringVar(&f.sweep, "sweep", "", "measure a full `GRID` instead of searching")
	fl.StringVarP(&f.output, "output", "o", "", "`FILE` of the sweep, to begin or to go on with")
	fl.IntVar(&f.reps, "reps", 3, "repetitions of each product of a sweep")
	fl.StringVar(&f.plot, "plot", "", "draw what was measured to a `FILE`, .svg or .png")
	fl.BoolVar(&f.asJSON, "json", false, "print the result as JSON")
	f.progress = progressFlag(cmd)
	complete(cmd, "dtype", "float64", "float32")
	cmd.AddCommand(newTuneShow(), newTuneExport(), newTuneImport(), newTuneReset())
	return cmd
}

// A tuning is one call of tune.
type tuning struct {
	*tuneFlags
	cmd  *cobra.Command
	crew crew
	t    elem.Type
	lab  *lab
	show progress
	axes []tune.Axis
}

func (f *tuneFlags) run(cmd *cobra.Command) error {
	x, err := f.prepare(cmd)
	if err != nil {
		return err
	}
	if f.plotFile, err = createPlot(f.plot); err != nil {
		return err
	}
	defer f.plotFile.Abort()
	defer x.lab.close()
	if f.sweep != "" {
		return x.doSweep(cmd.Context())
	}
	return x.doSearch(cmd.Context())
}
