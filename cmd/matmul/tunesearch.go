package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"matmul/tune"
)

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
	s, err := x.newSearch()
	if err != nil {
		return err
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
	return x.report(ctx, x.newTuneReport(o), s)
}

// newSearch prepares the search.
func (x *tuning) newSearch() (*tune.Search, error) {
	incumbent, found, err := x.incumbent()
	if err != nil {
		return nil, err
	}
	share := x.crew.share()
	s := &tune.Search{
		Measure: x.lab.measure, Sizes: x.lab.sizes, Kernels: x.lab.kernels, Budget: x.budget,
		Share: share, Levels: x.crew.machine.Levels(share), Incumbent: incumbent, Found: found,
	}
	if x.axes == nil {
		return s, nil
	}
	s.Grid = tune.Points(x.axes, incumbent)
	if err := x.checkPoints(s.Grid); err != nil {
		return nil, inputf(x.grid, "%v", err)
	}
	return s, nil
}

// report stores what came out, whatever ended the search, prints and draws it.
func (x *tuning) report(ctx context.Context, r *tuneReport, s *tune.Search) (err error) {
	if x.crew.unpinned != "" {
		x.show.note("measured while another program computed: %s", x.crew.unpinned)
	}
	if r.Limit, err = x.lab.limit(context.WithoutCancel(ctx), r.Choice); err != nil {
		return err
	}
	if r.Profile, err = x.save(r.Outcome, s); err != nil {
		return err
	}
	if err := r.print(x.cmd.OutOrStdout(), x.asJSON); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if x.plotFile != nil {
		return x.plotFile.Write(x.panels(r.points(), r.Limit, r.Choice)...)
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
