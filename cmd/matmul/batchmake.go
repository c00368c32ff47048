package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"matmul/internal/matfile"
	"matmul/internal/sys"
	"matmul/internal/verify"
	"matmul/master"
	"matmul/tiling"
)

// aloneOptions verify what one processor does.
var aloneOptions = verify.Options{Workers: 1}

// openAs opens what a job reads, which is as it was examined.
func (p *product) openAs(it *item) error {
	if err := p.openInputs(p.cmd.Context(), it.A, it.B); err != nil {
		return err
	}
	if err := p.specify(); err != nil {
		return err
	}
	if now := p.shape(); now != it.shape {
		return &matfile.Error{Path: it.A, Problem: fmt.Sprintf("the product is %d×%d×%d of %s now, and was %d×%d×%d of %s when the batch began",
			now.M, now.N, now.K, now.elem, it.M, it.N, it.K, it.elem), Advice: "run again when nothing writes to its inputs"}
	}
	return nil
}

// make computes a job's output and verifies it; naming it is left to do.
func (it *item) make(q *work, w *workplace) (err error) {
	p, err := q.product(it)
	if err != nil {
		return err
	}
	it.p = p
	if err := p.openAs(it); err != nil {
		p.in.close()
		return err
	}
	defer p.in.close()
	there, err := pathExists(it.Out)
	if err != nil {
		return err
	}
	it.confirms = there && !q.force
	if it.alone {
		err = it.makeAlone(q, w)
	} else {
		err = it.makeByPool(q, w)
	}
	if err == nil && it.confirms {
		err = it.confirm(w.ctx)
	}
	return err
}

// confirm compares what was made with the output that is there. A batch that was
// killed after it had named an output, and before that was in its log, has left
// it; anything else of that name is not ours to replace.
func (it *item) confirm(ctx context.Context) error {
	p := it.p
	if p.dest == nil {
		return nil // found complete by its journal
	}
	there, err := os.Open(it.Out)
	if err != nil {
		return fmt.Errorf("open %s: %w", it.Out, bareError(err))
	}
	defer there.Close()
	same, err := matfile.Same(there, p.output().File())
	if err == nil && !same {
		err = &matfile.Error{Path: it.Out, Problem: "exists, and is not this job's output", Advice: "use --force to replace it"}
	}
	if err == nil {
		err = syncThere(there)
	}
	if err != nil {
		return p.settle(ctx, err)
	}
	p.output().Abort()
	p.dest.Abort()
	return nil
}

// output returns what is to get the output's name.
func (p *product) output() *matfile.Output {
	if p.sheet != nil {
		return p.sheet
	}
	return p.dest
}

// write writes the output in its format, if that is not the one in which it was
// computed.
func (it *item) write(ctx context.Context) error {
	p := it.p
	if p.to.IsPlain() {
		return nil
	}
	if err := p.convert(ctx); err != nil {
		return err
	}
	st, err := p.sheet.File().Stat()
	if err == nil {
		it.size = st.Size()
	}
	return err
}

// syncThere makes a file and its name durable.
func syncThere(f *os.File) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), bareError(err))
	}
	dir, err := os.Open(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("sync the directory of %s: %w", f.Name(), bareError(err))
	}
	return nil
}

// makeAlone does a job on this goroutine.
func (it *item) makeAlone(q *work, w *workplace) (err error) {
	p := it.p
	p.force = p.force || it.confirms
	if p.to.IsPlain() {
		p.dest, err = matfile.Create(it.Out, it.M, it.N, it.elem, p.force)
	} else {
		p.dest, err = matfile.CreateScratch(filepath.Dir(it.Out), it.M, it.N, it.elem)
	}
	if err != nil {
		return err
	}
	begin := sys.Monotonic()
	err = w.desk.multiply(p)
	end := sys.Monotonic()
	it.abft = p.rep.ABFT
	it.seconds.Multiply = time.Duration(end - begin).Seconds()
	if hook := q.crew.trace; hook != nil && err == nil {
		hook(master.Event{Job: it.ID, Seat: w.desk.seat, Kind: tiling.Multiply, Rect: tiling.Rect{R1: it.M, C1: it.N}, Flops: it.Flops(), Sent: begin, Begin: begin, End: end})
	}
	if err == nil {
		err = p.in.changed()
	}
	if err == nil {
		err = it.check(w, aloneOptions)
	}
	if err == nil {
		err = it.write(w.ctx)
	}
	if err != nil {
		return p.settle(w.ctx, err)
	}
	return nil
}

// check verifies the output.
func (it *item) check(w *workplace, o verify.Options) error {
	err := it.p.checkOutput(w.ctx, o)
	it.verdict, it.seconds.Verify = it.p.rep.Verify, it.p.rep.Seconds.Verify
	return err
}

// makeByPool does a job with the workers, who save it now and then if it is
// long.
func (it *item) makeByPool(q *work, w *workplace) (err error) {
	p := it.p
	old, err := q.unfinished(it)
	if err != nil {
		return err
	}
	p.resume = old && q.resume && q.checkpoint != checkpointOff
	if old && !p.resume {
		if err := forget(w.ctx, it.Out); err != nil {
			return err
		}
	}
	p.force = p.force || it.confirms
	pool, err := q.pool(filepath.Dir(it.Out), p.tuned)
	if err != nil {
		return err
	}
	if !p.resume { // else only a part of what it shares would be there
		it.shareIn(w.ctx, pool)
	}
	there, err := p.openOutput(w.ctx)
	if err != nil {
		return err
	}
	if there != nil {
		it.confirms = true
		err := p.confirm(w.ctx, there)
		it.verdict = p.rep.Verify
		return err
	}
	err = it.computeByPool(q, w, pool)
	if err == nil {
		err = it.write(w.ctx)
	}
	if err != nil {
		return p.settle(w.ctx, err)
	}
	return nil
}

func (it *item) computeByPool(q *work, w *workplace, pool *master.Pool) error {
	p, ctx := it.p, w.ctx
	if p.saver != nil {
		var stop func()
		ctx, stop = p.watch(ctx)
		defer stop()
	}
	it.kept = p.plan.KeptRows()
	if !p.isStored() {
		rep, err := p.multiply(ctx, pool)
		if p.abft {
			it.abft = &checks{rep.Wrong, rep.Retired}
		}
		if err == nil {
			it.made[2].of, err = p.dest.File().Stat()
		}
		whole := err == nil && it.kept == 0
		q.tell(func() { q.multiplied(it, whole) }) // and the workers are free for others
		if err != nil {
			return err
		}
		it.queued = firstBegin(rep)
		it.seconds = shares(rep)
		p.ran = rep.Wall
		go p.save()
	}
	return it.check(w, verify.Options{})
}

// firstBegin returns when the first task of a job began.
func firstBegin(r master.Report) time.Duration {
	first := r.Wall
	for kind, d := range r.Busy {
		if d > 0 {
			first = min(first, r.Span[kind][0])
		}
	}
	return first
}
