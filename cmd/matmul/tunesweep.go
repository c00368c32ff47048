package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"matmul/tune"
)

// doSweep measures what is left of a grid, and prints the best points.
func (x *tuning) doSweep(ctx context.Context) error {
	usual, err := x.crew.untuned(x.t)
	if err != nil {
		return err
	}
	s := &tune.Sweep{Measure: x.lab.measure, Sizes: x.lab.sizes, Points: tune.Points(x.axes, usual.choice), Reps: x.reps}
	if err := x.checkPoints(s.Points); err != nil {
		return flagError("sweep", err)
	}
	file, err := tune.OpenSweep(x.output, x.sweepHeader(usual.choice))
	if err != nil {
		return inputf(x.output, "%v", reason(err))
	}
	defer file.Close()
	done := int64(len(file.Records))
	bar := x.show.start("sweep", nil)
	bar.set(done, int64(s.Todo()))
	err = s.Run(ctx, file.Done, func(r tune.Record) error {
		done++
		bar.set(done, int64(s.Todo()))
		return file.Append(r)
	})
	bar.end()
	switch {
	case ctx.Err() != nil:
		return resumeError{fmt.Errorf("sweep stopped at %d of %d points; the same command goes on", done, s.Todo())}
	case err != nil:
		return err
	}
	return x.reportSweep(ctx, file.Records, usual.choice)
}

func (x *tuning) sweepHeader(base tune.Choice) tune.SweepHeader {
	h := tune.SweepHeader{
		Version: tune.SweepVersion, Key: x.crew.key(x.t), Caches: x.crew.share(),
		Axes: x.axes, Reps: x.reps, Base: base,
	}
	for _, p := range x.lab.sizes {
		h.Sizes = append(h.Sizes, sizeText(p))
	}
	return h
}

// reportSweep prints the five best points of each size, and draws all.
func (x *tuning) reportSweep(ctx context.Context, all []tune.Record, usual tune.Choice) error {
	limit, err := x.lab.limit(ctx, usual)
	if err != nil {
		return err
	}
	out, measured, points := x.cmd.OutOrStdout(), false, len(tune.Points(x.axes, usual))
	for size, p := range x.lab.sizes {
		best := bestRecords(all, size)
		measured = measured || len(best) > 0
		if !x.asJSON {
			fmt.Fprintf(out, "%s, %s: the best of %d points\n", sizeText(p), x.t, points)
		}
		for _, r := range best {
			if !x.asJSON {
				fmt.Fprintf(out, "  %7.1f GFLOP/s %s  %s\n", r.GFLOPS, barOf(r.GFLOPS, limit), r.Choice)
			} else if err := json.NewEncoder(out).Encode(r); err != nil {
				return err
			}
		}
	}
	if !measured {
		return errors.New("no point of the sweep can be measured; the file says why")
	}
	if x.plotFile != nil {
		return x.plotFile.Write(x.panels(sweepPoints(all), limit, usual)...)
	}
	return nil
}

// bestRecords returns the five fastest records of a size.
func bestRecords(all []tune.Record, size int) (best []tune.Record) {
	for _, r := range all {
		if r.Size == size && r.GFLOPS > 0 {
			best = append(best, r)
		}
	}
	slices.SortStableFunc(best, func(a, b tune.Record) int {
		if a.GFLOPS > b.GFLOPS {
			return -1
		}
		return 1
	})
	return best[:min(len(best), 5)]
}
