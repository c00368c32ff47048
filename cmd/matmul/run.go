package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/verify"
	"matmul/master"
)

// runFlags are the flags of run.
type runFlags struct {
	problemFlags
	poolFlags
	out, dtype, tile, verify string
	force, asJSON, dryRun    bool
	progress                 *string
}

func newRun() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run A.npy B.npy -o C.npy",
		Short: "Multiply two matrix files into a third",
		Long: `run computes C = alpha*op(A)*op(B) + beta*C0 and writes it to a new file, which
appears under its name only when it is complete, verified and on disk.

Inputs are .npy files of versions 1 to 3: float64 or float32 in either byte
order, C or Fortran order; integers and booleans if float64 holds them exactly.
A one-dimensional A is a row, a one-dimensional B a column. The result has the
widest element type of the operands, unless --dtype says otherwise.`,
		Example: `  matmul run A.npy B.npy -o C.npy
  matmul run X.npy X.npy --trans-b -o gram.npy --verify exact
  matmul run A.npy B.npy -o C.npy --alpha 0.5 --beta 1 --c0 C0.npy --workers 8`,
		Args: arguments("A.npy", "B.npy"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.problemFlags.register(cmd)
	f.poolFlags.register(cmd)
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "output", "o", "", "`FILE` to write C to")
	fl.StringVar(&f.dtype, "dtype", "", "compute and store as float64 or float32 (default: the widest operand's)")
	fl.StringVar(&f.tile, "tile", "auto", "rows x columns of a task's tile of C, as in 384x768")
	fl.StringVar(&f.verify, "verify", "freivalds", "check C before it gets its name: freivalds, gonum, exact or none")
	fl.BoolVar(&f.force, "force", false, "replace the output if it exists")
	fl.BoolVar(&f.dryRun, "dry-run", false, "print what the job takes, compute and write nothing")
	fl.BoolVar(&f.asJSON, "json", false, "print the report as JSON")
	f.progress = progressFlag(cmd)
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
	cmd    *cobra.Command
	crew   crew
	method verify.Method // "" for none
	show   progress
	in     inputs
	tuned  tuned
	plan   *master.Plan
	rep    report
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	p, err := f.prepare(cmd)
	if err != nil {
		return err
	}
	start := time.Now()
	if p.in, err = f.open(args[0], args[1]); err != nil {
		return err
	}
	defer p.in.close()
	if err := matfile.CheckOutput(f.out, f.force, p.in.all()...); err != nil {
		return err
	}
	if err := p.makePlan(); err != nil {
		return err
	}
	if f.dryRun {
		return p.outline()
	}
	out, err := matfile.Create(f.out, p.plan.M, p.plan.N, p.plan.Type, f.force)
	if err != nil {
		return err
	}
	defer out.Abort()
	if err := p.compute(cmd.Context(), out); err != nil {
		return err
	}
	if err := p.check(cmd.Context(), out); err != nil {
		return err
	}
	if err := p.commit(out); err != nil {
		return err
	}
	p.rep.Seconds.Total = time.Since(start).Seconds()
	return p.print()
}

// prepare checks the flags.
func (f *runFlags) prepare(cmd *cobra.Command) (p *product, err error) {
	p = &product{runFlags: f, cmd: cmd}
	if err := f.problemFlags.check(cmd); err != nil {
		return nil, err
	}
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
	if p.show, err = newProgress(*f.progress); err != nil {
		return nil, err
	}
	p.crew, err = f.resolve(cmd)
	return p, err
}

// makePlan cuts the product into tasks and checks that its memory is to be
// had, before anything is allocated or created.
func (p *product) makePlan() error {
	t, err := p.typeOf(p.in, p.dtype)
	if err != nil {
		return err
	}
	if p.tuned, err = p.crew.tuned(t); err != nil {
		return err
	}
	s := master.Spec{
		Type: t, Alpha: rounded(t, p.alpha), Beta: rounded(t, p.beta), Priority: defaultPriority,
		A: operand(p.in.a, p.in.a.AsRow(), p.transA),
		B: operand(p.in.b, p.in.b.AsColumn(), p.transB),
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
	if _, p.plan, err = p.crew.plan(p.tuned, s); err != nil {
		return err
	}
	n, err := p.needs()
	if err != nil {
		return err
	}
	return n.afford(p.crew.limits)
}

// defaultPriority is that of a job that does not say.
const defaultPriority = 5

// compute runs the job into the output file.
func (p *product) compute(ctx context.Context, out *matfile.Output) error {
	pool, err := p.crew.open(filepath.Dir(p.out), p.tuned.choice)
	if err != nil {
		return err
	}
	defer pool.Close()
	p.plan.Out = master.Output{File: out.File(), Offset: out.Offset}
	job, err := pool.Prepare(ctx, p.plan)
	if err != nil {
		return err
	}
	bar := p.show.start("multiply", taskMeter(pool, p.plan.Tasks()))
	rep, err := job.Run(ctx)
	bar.end()
	if err != nil {
		return err
	}
	if err := p.in.changed(); err != nil {
		return err
	}
	go out.Sync() // beside verification; Commit waits for it and has its error
	peak, err := pool.Peak(ctx, p.plan.Kernel, peakTime)
	if err != nil && ctx.Err() != nil {
		return err // no other error is worth the result
	}
	p.rep = newReport(p, rep, peak)
	return pool.Close()
}

// peakTime is how long the FMA limit is measured: enough for a clock to rise.
const peakTime = 5 * time.Millisecond

// taskMeter follows a job by the scoreboard. What a worker had counted is lost
// with its death, so the count is kept from falling.
func taskMeter(pool *master.Pool, tasks int) func(*meter) {
	most := int64(0)
	return func(m *meter) {
		most = max(most, int64(pool.Board().Tally(defaultPriority).Finished))
		m.set(min(most, int64(tasks)), int64(tasks))
	}
}

// check verifies what was written, from the files.
func (p *product) check(ctx context.Context, out *matfile.Output) error {
	if p.method == "" {
		return nil
	}
	bar := p.show.start("verify", nil)
	c := &matfile.File{Info: out.Info, File: out.File()}
	r, err := verify.Run(ctx, p.method, p.problem(p.in, c), verify.Options{Progress: bar.set})
	bar.end()
	if err != nil {
		return err
	}
	v := newVerdict(r)
	p.rep.Verify = &v
	p.rep.Seconds.Verify = v.Seconds
	if err := v.err(p.out); err != nil {
		if changed := p.in.changed(); changed != nil {
			return changed // and no longer what C was made from
		}
		return advise(err, "nothing was written: the machine may be faulty, run again")
	}
	return nil
}

func (p *product) commit(out *matfile.Output) error {
	start := time.Now()
	err := out.Commit()
	p.rep.Seconds.Sync = time.Since(start).Seconds()
	return err
}

// print prints the report. C is there, whatever becomes of the report.
func (p *product) print() error {
	if err := p.rep.print(p.cmd.OutOrStdout(), p.asJSON); err != nil {
		return advise(err, "%s is complete", p.out)
	}
	return nil
}
