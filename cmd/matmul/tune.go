package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/plots"
	"matmul/tiling"
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
	progress          *string
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
	if f.plot != "" {
		if f.plotFile, err = plots.Create(f.plot); err != nil {
			return inputf(f.plot, "cannot be drawn to: %v", reason(err))
		}
		defer f.plotFile.Abort()
	}
	defer x.lab.close()
	if f.sweep != "" {
		return x.doSweep(cmd.Context())
	}
	return x.doSearch(cmd.Context())
}

// prepare checks the flags.
func (f *tuneFlags) prepare(cmd *cobra.Command) (x *tuning, err error) {
	x = &tuning{tuneFlags: f, cmd: cmd}
	if x.t, err = elem.Parse(f.dtype); err != nil {
		return nil, flagError("dtype", err)
	}
	if f.plot != "" {
		if err := plots.CheckName(f.plot); err != nil {
			return nil, flagError("plot", err)
		}
	}
	if x.show, err = newProgress(*f.progress); err != nil {
		return nil, err
	}
	sizes, err := f.problems()
	if err != nil {
		return nil, err
	}
	if err := x.checkModes(); err != nil {
		return nil, err
	}
	if x.crew, err = f.resolve(cmd); err != nil {
		return nil, err
	}
	if !x.crew.profiles && f.sweep == "" && f.profile != noProfile {
		return nil, advise(errors.New("find profiles: neither $XDG_CONFIG_HOME nor $HOME is set"), "use --profile DIR")
	}
	x.lab, err = newLab(&x.crew, x.t, sizes)
	return x, err
}

// checkModes checks the flags that belong to a search or a sweep alone.
func (x *tuning) checkModes() (err error) {
	changed := x.cmd.Flags().Changed
	switch {
	case x.budget <= 0:
		return usagef("--budget %v: want a time such as 60s", x.budget)
	case x.reps < 1:
		return usagef("--reps %d: want at least 1", x.reps)
	case x.sweep == "" && (x.output != "" || changed("reps")):
		return usagef("--output and --reps are for --sweep")
	case x.sweep != "" && x.output == "":
		return usagef("--sweep needs --output FILE")
	case x.sweep != "" && (x.grid != "" || changed("budget")):
		return usagef("--sweep measures all points: no --grid and no --budget")
	case x.sweep != "":
		if x.axes, err = tune.ParseAxes(x.sweep); err != nil {
			return flagError("sweep", err)
		}
	case x.grid != "":
		data, err := readSmall(x.grid)
		if err != nil {
			return err
		}
		if x.axes, err = tune.ReadAxes(data); err != nil {
			return inputf(x.grid, "%v", err)
		}
	}
	return nil
}

// problems parses the sizes, and puts the cheapest first.
func (f *tuneFlags) problems() (all []tiling.Problem, err error) {
	for _, text := range f.sizes {
		m, n, k, err := parseProblem(text)
		if err != nil {
			return nil, err
		}
		if p := (tiling.Problem{M: m, N: n, K: k}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil, usagef("--sizes is empty: want N or MxNxK")
	}
	slices.SortStableFunc(all, func(a, b tiling.Problem) int {
		if a.Flops() < b.Flops() {
			return -1
		}
		return 1
	})
	return all, nil
}

// incumbent returns the stored profile, if it fits, and what is to be beaten.
// What a stopped search found stays in a profile that does not fit otherwise.
func (x *tuning) incumbent() (tune.Choice, *tune.Choice, error) {
	u, err := x.crew.tuned(x.t)
	if err != nil {
		return tune.Choice{}, nil, err
	}
	var found *tune.Choice
	if u.path != "" {
		if p, err := x.crew.store.Load(x.crew.key(x.t)); err == nil && p.Found != nil {
			if _, err := x.lab.tuned(*p.Found); err == nil {
				found = p.Found
			}
		}
	}
	return u.choice, found, nil
}

// doSearch searches, stores and prints.
func (x *tuning) doSearch(ctx context.Context) error {
	incumbent, found, err := x.incumbent()
	if err != nil {
		return err
	}
	s := &tune.Search{
		Measure: x.lab.measure, Sizes: x.lab.sizes, Kernels: x.lab.kernels, Budget: x.budget,
		Share: x.crew.share(), Levels: x.crew.machine.Levels(x.crew.share()), Incumbent: incumbent, Found: found,
	}
	if x.axes != nil {
		s.Grid = tune.Points(x.axes, incumbent)
		if err := x.checkPoints(s.Grid); err != nil {
			return inputf(x.grid, "%v", err)
		}
	}
	bar := x.show.start("tune", nil)
	s.Progress = func(used time.Duration, best tune.Candidate) {
		bar.set(int64(used), int64(x.budget))
		bar.say(bestSoFar(best))
	}
	o, err := s.Run(ctx)
	bar.end()
	if o == nil {
		return err
	}
	r := x.newTuneReport(o, s)
	if r.Limit, err = x.lab.limit(context.WithoutCancel(ctx), o.Choice); err != nil {
		return err
	}
	if r.Profile, err = x.save(o, s); err != nil {
		return err
	}
	if err := r.print(x.cmd.OutOrStdout(), x.asJSON); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if x.plotFile != nil {
		return x.plotFile.Write(x.panels(r.points(), r.Limit, o.Choice)...)
	}
	return nil
}

// checkPoints checks the choices of a grid.
func (x *tuning) checkPoints(points []tune.Choice) error {
	for _, c := range points {
		if _, err := x.lab.tuned(c); err != nil {
			return err
		}
	}
	return nil
}

// save stores what came out, and returns where.
func (x *tuning) save(o *tune.Outcome, s *tune.Search) (string, error) {
	if !x.crew.profiles {
		return "", nil
	}
	u, err := x.lab.tuned(o.Choice)
	if err != nil {
		return "", err
	}
	p := &tune.Profile{
		Version: tune.ProfileVersion, Key: x.crew.key(x.t), Caches: s.Share, Kernel: u.kernel.String(),
		Choice: o.Choice, Found: o.Found, Measured: o.Speeds(), Tuned: time.Now().UTC().Truncate(time.Second),
	}
	path := x.crew.store.Path(p.Key)
	if err := x.crew.store.Save(p); err != nil {
		return "", storeError(path, err)
	}
	return path, nil
}

// storeError says which file of the store could not be used.
func storeError(path string, err error) error {
	if exhausted(err) || resultCode(err) == exitResource {
		return resourceError{err}
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return inputf(path, "cannot be stored: %v", err)
}

// readSmall reads a file of text that a user names.
func readSmall(path string) ([]byte, error) {
	const most = 1 << 20
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, inputf(path, "%v", reason(err))
	case !st.Mode().IsRegular():
		return nil, inputf(path, "not a regular file")
	case st.Size() > most:
		return nil, inputf(path, "longer than %s", tune.FormatBytes(most))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, inputf(path, "%v", reason(err))
	}
	return data, nil
}

// reason drops the operation and the path, which the message has already.
func reason(err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
