//go:build mpi

package main

import (
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/mpi"
	"matmul/master"
)

// onRanks does a product together with the other ranks of an MPI job, and
// reports whether there is one.
func (f *runFlags) onRanks(cmd *cobra.Command, args []string) (did bool, err error) {
	if !mpi.Launched() || f.dryRun {
		return false, nil
	}
	return true, f.together(cmd, args)
}

// together does the product. What goes wrong at one rank ends it at all, by an
// agreement; rank 0 alone writes to the terminal.
func (f *runFlags) together(cmd *cobra.Command, args []string) error {
	start := time.Now()
	hired, local := f.hire(cmd, args)
	defer hired.close()
	t, err := join(cmd.Context())
	if err != nil {
		return err
	}
	defer t.leave()
	p := hired.product
	p.team = t.world.Size
	if t.world.Rank > 0 {
		p.show = progress{}
	}
	ctx := cmd.Context()
	finished := false
	err = t.agree(ctx, local)
	if err == nil {
		err = t.open(ctx, hired, args)
	}
	err = recommend(err)
	if err == nil {
		err = t.sameInputs(ctx, p)
	}
	if err == nil {
		err = t.openTrace(ctx, p)
	}
	if err == nil {
		finished, err = t.openOutput(ctx, p)
	}
	if err == nil && !finished {
		err = t.produce(ctx, hired)
	}
	p.rep.Seconds.Total = time.Since(start).Seconds()
	if err == nil && t.world.Rank == 0 {
		err = p.print()
	}
	return t.conclude(ctx, t.closeTrace(ctx, p, err))
}

// hired is what a rank has before it joins the others: the workers must have
// been started by then, since networks forbid or dislike it afterwards.
type hired struct {
	*product
	pool *master.Pool
	rate float64 // flop/s of all workers
}

// hire starts the workers. What the matrices are is not known yet.
func (f *runFlags) hire(cmd *cobra.Command, args []string) (h *hired, err error) {
	h = &hired{product: &product{runFlags: f, cmd: cmd}}
	p, err := f.prepare(cmd)
	if err != nil {
		return h, err
	}
	h.product = p
	if *f.trace != "" {
		p.crew.trace = func(e master.Event) { p.tracer.task(e) } // it will be there before the first task
	}
	for _, name := range []string{args[0], args[1], f.c0, f.out} {
		if matfile.IsStream(name) {
			return h, usagef("%s: ranks read and write files, no pipes", name)
		}
	}
	t := elem.Float64
	if f.dtype != "" {
		t, _ = elem.Parse(f.dtype)
	}
	if p.tuned, err = p.crew.tuned(t); err != nil {
		return h, err
	}
	dir, _, err := matfile.Beside(p.out)
	if err != nil && f.scatter {
		dir, err = os.TempDir(), nil // rank 0 alone has the output's directory
	}
	if err != nil {
		return h, err
	}
	if h.pool, err = p.crew.open(dir, p.tuned.choice); err != nil {
		return h, err
	}
	return h, h.measure(cmd.Context())
}

// measure measures the speed of the workers. All take part, so all have been
// started when it returns.
func (h *hired) measure(ctx context.Context) (err error) {
	h.rate, err = h.pool.Peak(ctx, h.tuned.kernel, peakTime)
	return err
}

func (h *hired) close() {
	if h.pool != nil {
		h.pool.Close()
	}
	h.in.close()
}

// open opens the inputs, at every rank or at rank 0 for all, and says what the
// product is. Collective.
func (t *team) open(ctx context.Context, h *hired, args []string) error {
	var err error
	if t.world.Rank == 0 || !h.scatter {
		err = h.openInputs(ctx, args[0], args[1])
	}
	err = t.agree(ctx, err)
	if err == nil && h.scatter {
		err = t.describe(ctx, h.product)
	}
	if err != nil {
		return err
	}
	if err = h.specify(); err == nil {
		err = h.to.Check(h.spec.A.Rows, h.spec.B.Cols)
	}
	if err == nil {
		err = h.measure(ctx) // with the kernel for these matrices
	}
	return t.agree(ctx, err)
}

// recommend adds to the error of a rank that cannot use a file, as rank 0 can.
func recommend(err error) error {
	if remote := (rankError{}); errors.As(err, &remote) && remote.rank > 0 && remote.code == exitInput {
		return advise(err, "rank 0 can use it: use files that all ranks share, or --scatter")
	}
	return err
}

// sameInputs returns an error unless all ranks see the same inputs. Collective.
func (t *team) sameInputs(ctx context.Context, p *product) error {
	sum, err := p.digest()
	if err := t.agree(ctx, err); err != nil {
		return err
	}
	most, err := t.most(ctx, sum)
	if err != nil {
		return err
	}
	least, err := t.least(ctx, sum)
	if err == nil && most != least {
		return inputf(p.in.a.Path, "or another input, or an option, is not the same at all ranks; use files that all ranks share, or --scatter")
	}
	return err
}

// digest returns a number that differs if the product does, as far as this rank
// sees it.
func (p *product) digest() (int64, error) {
	id := p.parameters()
	if !p.scatter {
		var err error
		if id, err = p.identity(); err != nil {
			return 0, err
		}
	}
	// Times may differ between machines that each have a copy.
	for _, f := range []*matfile.Fingerprint{&id.A, &id.B, id.C0} {
		if f != nil {
			f.Modified, f.Changed = "", ""
		}
	}
	text, err := json.Marshal(id)
	return int64(crc32.ChecksumIEEE(text)), err
}

// openOutput opens the output at rank 0, which alone creates and names it, and
// reports whether an earlier run had finished it. Collective.
func (t *team) openOutput(ctx context.Context, p *product) (finished bool, err error) {
	there := int64(0)
	if t.world.Rank == 0 {
		err = matfile.CheckOutput(p.out, p.force || p.resume, p.in.all()...)
		var f *matfile.File
		if err == nil {
			f, err = p.openOutput(ctx)
		}
		if err == nil && f != nil {
			there, err = 1, p.confirm(ctx, f)
		}
	}
	opened := err == nil && p.dest != nil
	if err = t.agree(ctx, err); err == nil {
		there, err = t.most(ctx, there)
	}
	if err != nil && opened {
		err = p.settle(ctx, err)
	}
	return there == 1, err
}

// produce computes C, and at rank 0 checks it and gives it its name. It ends the
// use of the output. Collective.
func (t *team) produce(ctx context.Context, h *hired) error {
	p := h.product
	err := t.compute(ctx, h)
	if err == nil {
		err = t.check(ctx, p)
	}
	if t.world.Rank > 0 {
		return err
	}
	if err == nil && !p.to.IsPlain() {
		err = p.convert(ctx)
	}
	if err == nil {
		err = p.commit()
	}
	if remote := (rankError{}); errors.As(err, &remote) && remote.code > exitSignal {
		// A signal to one rank is one to all.
		stopped, cancel := context.WithCancelCause(ctx)
		sig := signalError{syscall.Signal(remote.code - exitSignal)}
		cancel(sig)
		ctx, err = stopped, sig
	}
	return p.settle(ctx, err)
}
