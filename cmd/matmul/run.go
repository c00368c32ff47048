package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/journal"
	"matmul/internal/matfile"
	"matmul/internal/verify"
	"matmul/master"
)

// runFlags are the flags of run.
type runFlags struct {
	problemFlags
	poolFlags
	checkpointFlags
	rankFlags
	out, dtype, tile, verify string
	memory                   string // "" where nothing is done in bands
	force, asJSON, dryRun    bool
	format                   *string
	abft                     bool
	progress                 *progressFlags
	trace                    *string
}

func newRun() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run A.npy B.npy -o C.npy",
		Short: "Multiply two matrix files into a third",
		Long: `run computes C = alpha*op(A)*op(B) + beta*C0 and writes it to a new file, which
appears under its name only when it is complete, verified and on disk.

Inputs are .npy files, arrays in .npz archives (FILE.npz:NAME), Matrix Market
arrays, lines of numbers (CSV, TSV), or raw binary with its layout
(FILE:100x200,float32,fortran,big); their content says which. "-" is standard
input. Elements are float64 or float32; integers and booleans if float64 holds
them exactly. A one-dimensional A is a row, a one-dimensional B a column. The
result has the widest element type of the operands, unless --dtype says
otherwise, and the format of the output's extension (.npy, .npz, .mtx, .csv,
.tsv, .txt, .raw); "-" is standard output.

With checkpoints, finished rows are saved in C.npy.part, and C.npy.journal says
which they are. SIGTERM, SIGINT, SIGHUP and SIGUSR1 save and end with exit status
75; --resume goes on, also after a crash, with any number of workers. The bits
of C are the same.`,
		Example: `  matmul run A.npy B.npy -o C.npy
  matmul run X.npy X.npy --trans-b -o gram.npy --verify exact
  matmul run A.mtx B.npz:b -o C.csv
  matmul run A.npy B.npy -o C.npy --alpha 0.5 --beta 1 --c0 C0.npy --workers 8
  matmul run A.npy B.npy -o C.npy --checkpoint 30s --resume`,
		Args: arguments("A.npy", "B.npy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if did, err := f.onRanks(cmd, args); did {
				return err
			}
			return f.run(cmd, args)
		},
	}
	f.problemFlags.register(cmd)
	f.poolFlags.register(cmd)
	f.checkpointFlags.register(cmd)
	f.rankFlags.register(cmd)
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "output", "o", "", "`FILE` to write C to")
	fl.StringVar(&f.dtype, "dtype", "", "compute and store as float64 or float32 (default: the widest operand's)")
	fl.StringVar(&f.tile, "tile", "auto", "rows x columns of a task's tile of C, as in 384x768")
	fl.StringVar(&f.memory, "memory", "auto", "memory that all processes together may take, as in 600MiB; a product that does not fit is done in bands (default: what the machine and the control group leave)")
	fl.StringVar(&f.verify, "verify", "freivalds", "check C before it gets its name: freivalds, gonum, exact or none")
	fl.BoolVar(&f.abft, "abft", false, "check each tile of C by checksums, and do it again if a processor or memory failed")
	fl.BoolVar(&f.force, "force", false, "replace the output if it exists")
	fl.BoolVar(&f.dryRun, "dry-run", false, "print what the job takes, compute and write nothing")
	fl.BoolVar(&f.asJSON, "json", false, "print the report as JSON")
	f.format = formatFlag(cmd)
	f.progress, f.trace = progressFlag(cmd), traceFlag(cmd)
	complete(cmd, "dtype", "float64", "float32")
	complete(cmd, "verify", "freivalds", "gonum", "exact", "none")
	if err := cmd.MarkFlagRequired("output"); err != nil {
		panic(err)
	}
	return cmd
}

// A product is one call of run under way.
type product struct {
	*runFlags
	cmd      *cobra.Command
	crew     crew
	method   verify.Method // "" for none
	name     string        // of the job in a trace
	batched  bool          // it is a job of a batch
	prefix   string        // of the names of its bars
	priority uint8
	choose   func(elem.Type) (tuned, error) // the sizes for an element type; nil for those of crew
	show     progress
	in       inputs
	tuned    tuned
	spec     master.Spec // without the sizes that are chosen for it
	plan     *master.Plan
	banded   *master.Banded // in place of plan where that does not fit into memory
	limit    int64          // of --memory; 0 for none
	checkers int            // goroutines of verification; 0 for as many as there are processors
	to       matfile.Target
	dest     *matfile.Output // what C is computed into: the output, if that is a plain .npy file
	sheet    *matfile.Output // the output in another format; nil for a stream
	saver    *saver          // nil without checkpoints
	tracer   *tracer         // nil without a trace
	ran      time.Duration   // computing
	rep      report
	team     int // ranks that do the product together; 0 where one process does it
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	p, err := f.prepare(cmd)
	if err != nil {
		return err
	}
	if f.scatter && !f.dryRun {
		return usagef("--scatter is for ranks, which mpiexec starts of a build with MPI")
	}
	start := time.Now()
	if err := p.mayWrite(); err != nil {
		return err
	}
	if err := p.openInputs(cmd.Context(), args[0], args[1]); err != nil {
		return err
	}
	defer p.in.close()
	if err := p.mayWrite(); err != nil {
		return err
	}
	if err := p.specify(); err != nil {
		return err
	}
	if err := p.to.Check(p.spec.A.Rows, p.spec.B.Cols); err != nil {
		return err
	}
	if f.dryRun && f.ranks > 0 {
		return p.outlineRanks()
	}
	if f.dryRun {
		return p.outline()
	}
	if p.tracer, err = createTrace(*f.trace, "matmul run "+f.out, f.force || f.resume, p.in.all()...); err != nil {
		return err
	}
	p.crew.trace = p.tracer.hook()
	if err := p.produce(cmd.Context()); err != nil {
		return p.tracer.close(err)
	}
	p.rep.Seconds.Total = time.Since(start).Seconds()
	if err := p.tracer.close(p.print()); err != nil {
		return advise(err, "%s is complete", p.out)
	}
	return nil
}

// produce makes the output, or goes on with making it.
func (p *product) produce(ctx context.Context) error {
	there, err := p.openOutput(ctx)
	if err != nil {
		return err
	}
	if there != nil {
		return p.confirm(ctx, there)
	}
	return p.settle(ctx, p.work(ctx))
}

// mayWrite checks that the output may be written, before there is something to
// write.
func (p *product) mayWrite() error {
	if p.to.Stream {
		return nil
	}
	return matfile.CheckOutput(p.out, p.force || p.resume, p.in.all()...)
}

// work computes C, checks it and gives it its name.
func (p *product) work(ctx context.Context) error {
	if p.saver != nil && !p.isStored() {
		p.show.note("checkpoint %s", p.reckon(journal.Stats{}, p.expected()).text())
		var stop func()
		ctx, stop = p.watch(ctx)
		defer stop()
	}
	if err := p.compute(ctx); err != nil {
		return err
	}
	if err := p.checkOutput(ctx, verify.Options{}); err != nil {
		return err
	}
	if !p.to.IsPlain() {
		if err := p.convert(ctx); err != nil {
			return err
		}
	}
	return p.commit()
}

// checkOutput verifies what is to become C.
func (p *product) checkOutput(ctx context.Context, o verify.Options) error {
	return adviseWrong(p.check(ctx, &matfile.File{Info: p.dest.Info, File: p.dest.File()}, o))
}

// adviseWrong adds to the error of a C that is wrong what to do.
func adviseWrong(err error) error {
	switch {
	case errors.Is(err, master.ErrWrong): // again and again
		return advise(err, "nothing was written: the machine is faulty")
	case exitCode(err) == exitWrong:
		return advise(err, "nothing was written: the machine may be faulty, run again")
	}
	return err
}

// prepare checks the flags.
func (f *runFlags) prepare(cmd *cobra.Command) (p *product, err error) {
	p = &product{runFlags: f, cmd: cmd, name: f.out, priority: defaultPriority}
	if err := f.problemFlags.check(cmd); err != nil {
		return nil, err
	}
	if p.to, err = parseTarget(f.out, *f.format); err != nil {
		return nil, err
	}
	f.out = p.to.Path
	if f.verify != "none" {
		if p.method, err = verify.ParseMethod(f.verify); err != nil {
			return nil, usagef("--verify %q: want freivalds, gonum, exact or none", f.verify)
		}
	}
	if f.dtype != "" {
		if _, err := elem.Parse(f.dtype); err != nil {
			return nil, flagError("dtype", err)
		}
	}
	if f.tile != "auto" {
		if _, err := parseSizes(f.tile, 2); err != nil {
			return nil, flagError("tile", err)
		}
	}
	if p.limit, err = parseMemory(f.memory); err != nil {
		return nil, err
	}
	if p.show, err = newProgress(f.progress); err != nil {
		return nil, err
	}
	if *f.trace != "" && filepath.Clean(*f.trace) == filepath.Clean(f.out) {
		return nil, usagef("--trace and --output are the same file")
	}
	if err := f.checkpointFlags.check(p.to.Stream); err != nil {
		return nil, err
	}
	if err := f.rankFlags.check(cmd, f.dryRun); err != nil {
		return nil, err
	}
	p.crew, err = f.resolve(cmd)
	return p, err
}

// specify says what the product is.
func (p *product) specify() error {
	t, err := p.typeOf(p.in, p.dtype)
	if err != nil {
		return err
	}
	choose := p.crew.tuned
	if p.choose != nil {
		choose = p.choose
	}
	if p.tuned, err = choose(t); err != nil {
		return err
	}
	s := master.Spec{
		Type: t, Alpha: rounded(t, p.alpha), Beta: rounded(t, p.beta), Priority: p.priority, Name: p.name,
		A:    operand(p.in.a, p.in.a.AsRow(), p.transA),
		B:    operand(p.in.b, p.in.b.AsColumn(), p.transB),
		ABFT: p.abft, Wrong: func(w master.Wrong) { p.sayWrong(&w) },
	}
	if p.in.c0 != nil {
		s.C0 = p.result(p.in.c0, s.A.Rows)
	}
	if p.tile != "auto" {
		sizes, err := parseSizes(p.tile, 2)
		if err != nil {
			return err
		}
		s.TileM, s.TileN = sizes[0], sizes[1]
	}
	s.Out.File = p.in.a.File // stands for the output, which is created after all checks
	p.spec = s
	return nil
}

// cut cuts what is not kept of the product into tasks.
func (p *product) cut() (err error) {
	_, p.plan, err = p.crew.plan(p.tuned, p.spec)
	return err
}

// makePlan cuts the product and checks that what it takes is to be had, before
// anything is allocated or created.
func (p *product) makePlan() error {
	if err := p.cut(); err != nil || p.isStored() || p.team > 0 {
		return err // ranks take memory for their parts
	}
	if err := p.makeBands(); err != nil {
		return err
	}
	n, err := p.needs()
	if err != nil {
		return err
	}
	return n.afford(p.crew.limits)
}

// isStored reports whether all of C is kept: there is nothing to compute.
func (p *product) isStored() bool { return p.plan.M > 0 && p.plan.KeptRows() == p.plan.M }

// defaultPriority is that of a job that does not say.
const defaultPriority = 5

// compute runs the job into the output file, by a pool of its own.
func (p *product) compute(ctx context.Context) error {
	if p.isStored() {
		p.rep = newReport(p, master.Report{}, 0)
		return nil
	}
	pool, err := p.crew.open(outputDir(p.to), p.tuned.choice)
	if err != nil {
		return err
	}
	defer pool.Close()
	p.tracer.about(p.crew.workers, p.plan.Kernel.String(), 0)
	p.show.limit(func() float64 { return p.crew.peak(p.plan.Kernel) })
	rep, err := p.multiply(ctx, pool)
	if err != nil {
		return err
	}
	busy := busyTimes(pool)
	go p.save() // beside verification; the commit waits for it and has its error
	peak, err := pool.Peak(ctx, p.plan.Kernel, peakTime)
	if err != nil && ctx.Err() != nil {
		return err // no other error is worth the result
	}
	p.rep, p.ran = newReport(p, rep, peak), rep.Wall
	p.rep.Busy = busy
	p.tracer.about(p.crew.workers, p.plan.Kernel.String(), p.rep.Peak)
	return pool.Close()
}

// multiply runs the job into the output file. The inputs are then what they
// were.
func (p *product) multiply(ctx context.Context, pool *master.Pool) (rep master.Report, err error) {
	out := p.plan.Out
	out.File, out.Offset = p.dest.File(), p.dest.Offset
	if p.saver != nil {
		out.Stored = p.saver.stored
	}
	if p.banded != nil {
		rep, err = p.multiplyBands(ctx, pool, out)
	} else {
		rep, err = p.multiplyWhole(ctx, pool, out)
	}
	if err != nil {
		return rep, adviseWrong(err)
	}
	return rep, p.in.changed()
}

// sayWrong says that a tile of C failed its check, and is done again.
func (p *product) sayWrong(err error) {
	if p.batched {
		err = fmt.Errorf("job %s: %w", p.name, err)
	}
	say(p.cmd.ErrOrStderr(), err)
}

func (p *product) multiplyWhole(ctx context.Context, pool *master.Pool, out master.Output) (master.Report, error) {
	p.plan.Out = out
	job, err := pool.Prepare(ctx, p.plan)
	if err != nil {
		return master.Report{}, err
	}
	defer job.Close()
	bar := p.show.start(p.prefix+"multiply", taskMeter(pool, job))
	defer bar.end()
	return job.Run(ctx)
}

// peakTime is how long the FMA limit is measured: enough for a clock to rise.
const peakTime = 5 * time.Millisecond

// check verifies what was written, from the files.
func (p *product) check(ctx context.Context, c *matfile.File, o verify.Options) error {
	if p.method == "" {
		return nil
	}
	bar := p.show.start(p.prefix+"verify", nil)
	o.Progress = bar.set
	if o.Workers == 0 {
		o.Workers = p.checkers
	}
	r, err := runCheck(ctx, p.method, p.problem(p.in, c), o)
	bar.end()
	if err != nil {
		return err
	}
	return p.judge(r)
}

// judge notes a verdict, and returns what is wrong with C.
func (p *product) judge(r verify.Report) error {
	v := newVerdict(r)
	p.rep.Verify = &v
	p.rep.Seconds.Verify = v.Seconds
	if err := v.err(p.out); err != nil {
		if changed := p.in.changed(); changed != nil {
			return changed // and no longer what C was made from
		}
		return err
	}
	return nil
}

// save makes durable what is written.
func (p *product) save() error {
	if p.saver != nil {
		return p.saver.journal.Checkpoint(p.dest.Sync)
	}
	if !p.to.IsPlain() {
		return nil // what is computed into gets no name
	}
	return p.dest.Sync()
}

func (p *product) commit() error {
	start := time.Now()
	var err error
	if p.saver != nil {
		err = p.save()
	}
	if err == nil {
		err = p.publish()
	}
	p.rep.Seconds.Sync = time.Since(start).Seconds()
	return err
}

// print prints the report.
func (p *product) print() error {
	out := p.cmd.OutOrStdout()
	if p.to.Stream { // which may be standard output
		out = p.cmd.ErrOrStderr()
	}
	return p.rep.print(out, p.asJSON)
}
