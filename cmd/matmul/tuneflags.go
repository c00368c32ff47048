package main

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/plots"
	"matmul/tiling"
	"matmul/tune"
)

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
	if x.show, err = newProgress(f.progress); err != nil {
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

// reason drops the operation and the path, which the message has already.
func reason(err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
