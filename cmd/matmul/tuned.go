package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/tiling"
	"matmul/tune"
)

// noProfile is the value of --profile that uses none.
const noProfile = "none"

// registerProfile adds --profile.
func (p *poolFlags) registerProfile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.profile, "profile", "", "`DIR` of the tuner's profiles, or none (default: $XDG_CONFIG_HOME/matmul)")
}

// store returns where profiles are, and whether there is such a place.
func (p *poolFlags) store() (s tune.Store, ok bool) {
	if p.profile != "" {
		return tune.Store{Dir: p.profile}, p.profile != noProfile
	}
	s, err := tune.DefaultStore()
	return s, err == nil // without a home there are no profiles
}

// tuned is how products of one element type are done: with which kernel, and
// what was chosen for it.
type tuned struct {
	kernel *gemm.Kernel
	choice tune.Choice
	path   string // of the profile; "" if it is the untuned choice
}

// key returns what profiles are stored by.
func (c *crew) key(t elem.Type) tune.Key {
	return tune.Key{Processor: c.machine.Processor, Type: t.String(), ISA: c.isa.String(), Workers: c.workers}
}

// share returns what each worker has of the caches.
func (c *crew) share() tune.CacheSizes { return c.limits.WorkerCaches(c.machine, c.workers) }

// tuned returns the stored choice for a type, or the untuned one if there is
// none. A profile that does not fit, or cannot be read now, is passed over with one
// warning.
func (c *crew) tuned(t elem.Type) (tuned, error) {
	usual, err := c.untuned(t)
	if err != nil || !c.profiles {
		return usual, err
	}
	p, err := c.store.Load(c.key(t))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return usual, nil
	}
	path := c.store.Path(c.key(t))
	if err == nil {
		k, fits := p.Fits(c.key(t), c.share())
		if fits == nil {
			return tuned{k, p.Choice, path}, nil
		}
		err = fmt.Errorf("profile %s: %w", path, fits)
	}
	if errors.Is(err, tune.ErrProfile) {
		warn("%v; it is set aside, 'matmul tune' makes a new one", err)
	} else {
		warn("%v; this run does without it", err)
	}
	return usual, nil
}

// untuned returns what is chosen where nobody has tuned.
func (c *crew) untuned(t elem.Type) (tuned, error) {
	k, err := gemm.Lookup(c.isa, t)
	if err != nil {
		return tuned{}, flagError("isa", err)
	}
	return tuned{kernel: k, choice: tune.Untuned(k, c.share())}, nil
}

// warn writes a warning as one line.
func warn(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "matmul: warning: %s\n", oneLine(fmt.Sprintf(format, args...)))
}

// smallJob is the size of a product, in flop, for which profiles choose no
// tiles: the master takes part in it, and messages count more than caches.
const smallJob = 1e9

// plan plans a job as chosen; what s says already, its tile, stays. A choice
// that cannot be planned gives way to the untuned one. Returned is the job as
// it was planned, too.
func (c *crew) plan(u tuned, given master.Spec) (master.Spec, *master.Plan, error) {
	s := given
	u.apply(&s, c.workers)
	p, err := master.NewPlan(s, c.workers)
	if err == nil || u.path == "" {
		return s, p, err
	}
	usual, lookup := c.untuned(given.Type)
	if lookup != nil {
		return s, nil, err
	}
	s = given
	usual.apply(&s, c.workers)
	p, err = master.NewPlan(s, c.workers)
	return s, p, err
}

// apply puts the choice into a job.
func (u tuned) apply(s *master.Spec, workers int) {
	s.Kernel, s.Blocking, s.ByColumns = u.kernel, u.choice.Blocking(), u.choice.Order == tune.ByColumns
	p := tiling.Problem{M: s.A.Rows, N: s.B.Cols, K: s.A.Cols}
	if s.TileM == 0 && (u.path == "" || p.Flops() > smallJob) {
		s.TileM, s.TileN = u.choice.Tile(p, u.kernel, workers)
	}
}
