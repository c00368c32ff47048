package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tune"
	"matmul/worker"
)

// maxWorkers is the most workers that --workers takes.
const maxWorkers = 1024

// poolFlags are the flags that say who computes.
type poolFlags struct {
	cacheFlags
	workers int
	isa     string
	segment string
	profile string

	stall, ioTimeout time.Duration
}

func (p *poolFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&p.workers, "workers", 0, "worker processes, 1 to 1024 (default: physical cores that may be used)")
	f.StringVar(&p.isa, "isa", "auto", "instruction set: auto, generic, avx2 or avx512")
	f.StringVar(&p.segment, "segment", "memfd", "shared memory: memfd, posix, sysv or file")
	f.DurationVar(&p.stall, "stall", 0, "replace a worker that computes and makes no progress for so long, from 1s on (default: 10s, or as long as this machine takes)")
	f.DurationVar(&p.ioTimeout, "io-timeout", 0, "replace a worker that waits for a file for so long, from 1s on (default: never)")
	p.registerProfile(cmd)
	p.cacheFlags.register(cmd)
	complete(cmd, "isa", "auto", "generic", "avx2", "avx512")
	complete(cmd, "segment", "memfd", "posix", "sysv", "file")
}

// complete makes the shell propose values for a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag does not exist
	}
}

// crew is who computes, after the flags and the machine have been looked at.
type crew struct {
	workers int
	why     string
	isa     gemm.ISA
	kind    shmmat.Kind
	machine *tune.Machine
	limits  *tune.Limits

	stall, ioTimeout time.Duration
	oomKills         func() int64

	placed   bool   // pins are chosen
	pins     []int  // processor of each worker, nil if they are not pinned
	unpinned string // who has the processors that they would be pinned to

	trace func(master.Event) // is told of each task; may be nil

	store    tune.Store // of profiles, if
	profiles bool       // they are to be used
}

// resolve turns the flags into a crew.
func (p *poolFlags) resolve(cmd *cobra.Command) (c crew, err error) {
	if cmd.Flags().Changed("workers") && (p.workers < 1 || p.workers > maxWorkers) {
		return c, usagef("--workers %d: want 1 to %d", p.workers, maxWorkers)
	}
	if c.isa, err = gemm.ParseISA(p.isa); err != nil {
		return c, flagError("isa", err)
	}
	if c.kind, err = shmmat.ParseKind(p.segment); err != nil {
		return c, flagError("segment", err)
	}
	if err := p.checkLimits(cmd); err != nil {
		return c, err
	}
	system, err := p.system()
	if err != nil {
		return c, err
	}
	c.machine, c.limits = system.Detect()
	if advice := c.limits.Advice; advice != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "matmul: warning: %s\n", advice)
	}
	c.stall, c.ioTimeout, c.oomKills = p.stall, p.ioTimeout, system.OOMKills
	c.store, c.profiles = p.store()
	if c.workers = p.workers; c.workers == 0 {
		n := c.limits.Workers(c.machine)
		c.workers, c.why = min(n.N, maxWorkers), n.Why
	}
	return c, nil
}

// leastLimit is the shortest time after which a worker may be taken for stuck:
// loaded machines let a process wait for a part of it.
const leastLimit = time.Second

// checkLimits checks the times after which workers are replaced.
func (p *poolFlags) checkLimits(cmd *cobra.Command) error {
	for _, l := range []struct {
		flag  string
		limit time.Duration
	}{{"stall", p.stall}, {"io-timeout", p.ioTimeout}} {
		if cmd.Flags().Changed(l.flag) && l.limit < leastLimit {
			return usagef("--%s %v: want at least %v", l.flag, l.limit, leastLimit)
		}
	}
	return nil
}

// open starts the pool as chosen. dir is where a segment of kind file lies.
func (c *crew) open(dir string, choice tune.Choice) (*master.Pool, error) {
	c.pin()
	return master.New(master.Config{
		Workers: c.workers, Starter: worker.NewProcesses(), Kind: c.kind, Dir: dir,
		Pins: c.withSpares(), Spin: choice.Spin,
		Small: !choice.HugePages, Yield: c.workers >= len(c.limits.Affinity), Own: true,
		Stall: c.stall, IOTimeout: c.ioTimeout, OOMKills: c.oomKills, Trace: c.trace,
	})
}

// withSpares returns the processors of the workers and then the others, which a
// worker is moved to that often computes wrongly; nil if workers are not pinned.
func (c *crew) withSpares() []int {
	if c.pins == nil {
		return nil
	}
	pins := slices.Clone(c.pins)
	for _, cpu := range c.limits.Pins(c.machine, len(c.limits.Affinity)) {
		if !slices.Contains(c.pins, cpu) {
			pins = append(pins, cpu)
		}
	}
	return pins
}
