package main

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"matmul/internal/journal"
	"matmul/internal/matfile"
	"matmul/internal/verify"
	"matmul/master"
	"matmul/tune"
)

// openOutput plans the job and opens its output: a new one, or what an earlier
// run has left, as far as it can be trusted. If that run had finished all but to
// remove its journal, it returns the output instead, under its name.
func (p *product) openOutput(ctx context.Context) (there *matfile.File, err error) {
	if p.to.Stream {
		if err := p.makePlan(); err != nil {
			return nil, err
		}
		return nil, p.createOutput()
	}
	dir, name, err := matfile.Beside(p.out)
	if err != nil {
		return nil, err
	}
	old, err := journal.Exists(dir, name)
	switch {
	case err != nil:
		return nil, err
	case old && !p.resume && !p.force:
		return nil, &matfile.Error{Path: p.out + journal.Suffix, Problem: "is there: an earlier run has not finished",
			Advice: "use --resume to go on with it, or --force to start from the beginning"}
	}
	every := p.interval()
	if every > 0 {
		heed(ctx, syscall.SIGUSR1)         // schedulers send it before they end a job
		p.tuned.choice.Order = tune.ByRows // each row of tiles is saved when it is finished
		if p.saver, err = p.newSaver(dir, name, every); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				p.saver.journal.Close()
			}
		}()
	}
	if old && p.resume {
		return p.reopen(ctx)
	}
	if p.resume {
		p.show.note("%s is not there: starting from the beginning", p.out+journal.Suffix)
	}
	if err := p.makePlan(); err != nil {
		return nil, err
	}
	if old {
		if err := forget(ctx, p.out); err != nil {
			return nil, err
		}
	}
	if every == 0 && p.team == 0 {
		return nil, p.createOutput()
	}
	return nil, p.createPart(ctx)
}

// createOutput opens what C is computed into without checkpoints.
func (p *product) createOutput() (err error) {
	if p.to.IsPlain() {
		p.dest, err = matfile.Create(p.out, p.plan.M, p.plan.N, p.plan.Type, p.force)
	} else {
		p.dest, err = matfile.CreateScratch(outputDir(p.to), p.plan.M, p.plan.N, p.plan.Type)
	}
	return err
}

// forget removes what an earlier run has left.
func forget(ctx context.Context, output string) error {
	if err := matfile.RemovePart(ctx, output); err != nil {
		return err
	}
	dir, name, err := matfile.Beside(output)
	if err == nil {
		err = journal.Remove(dir, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// createPart opens the part file, a new one or what is left of one.
func (p *product) createPart(ctx context.Context) (err error) {
	force := p.force || !p.to.IsPlain() // it never replaces an output in another format
	p.dest, err = matfile.CreatePart(ctx, p.out, p.plan.M, p.plan.N, p.plan.Type, force, p.force || p.resume)
	return err
}

// reopen goes on where an earlier run has ended.
func (p *product) reopen(ctx context.Context) (there *matfile.File, err error) {
	// Another job's part file must not be touched, so its journal comes first.
	records, _, err := p.saver.journal.Read()
	if err != nil {
		return nil, err
	}
	if there, err = p.finished(ctx, records); there != nil || err != nil {
		return there, err
	}
	if err := p.makePlan(); err != nil { // for what is left if all that was saved can be kept
		return nil, err
	}
	if err := p.createPart(ctx); err != nil {
		return nil, p.interrupted(ctx, err)
	}
	if err := p.trust(ctx); err != nil {
		p.dest.Leave()
		return nil, p.interrupted(ctx, err)
	}
	return nil, nil
}

// interrupted makes a stop of what a signal has ended before it began.
func (p *product) interrupted(ctx context.Context, err error) error {
	if isStop(ctx, err) {
		return stopped(ctx, p.out, "what was saved is kept, go on with --resume")
	}
	return err
}

// trust finds out which rows of C the part file holds, now that nobody else
// writes it, and plans what is left.
func (p *product) trust(ctx context.Context) error {
	records, cut, err := p.saver.journal.Read()
	if errors.Is(err, fs.ErrNotExist) {
		return inputf(p.out+journal.Suffix, "has gone meanwhile: another process has finished the job")
	}
	if err != nil {
		return err
	}
	if cut != "" {
		p.show.note("%s: %s", p.out+journal.Suffix, cut)
	}
	bar := p.show.start("check what is kept", nil)
	kept, err := journal.Check(ctx, p.dest.File(), p.dest.Info, records, bar.set)
	bar.end()
	if err != nil {
		return err
	}
	if lost := len(records) - len(kept); lost > 0 {
		p.show.note("%s: %d of %d rectangles do not have their checksums", p.out+matfile.PartSuffix, lost, len(records))
	}
	p.spec.Kept = kept
	if err := p.makePlan(); err != nil {
		return err
	}
	p.show.note("%s: %d of %d rows are kept", p.out, p.keptRows(), p.plan.M)
	return nil
}

// finished returns the output if it is, by its records, what the earlier run
// computed: that run had ended before its journal was removed.
func (p *product) finished(ctx context.Context, records []journal.Record) (there *matfile.File, err error) {
	p.spec.Kept = nil
	for _, r := range records {
		p.spec.Kept = append(p.spec.Kept, r.Rect)
	}
	if err := p.cut(); err != nil || !p.isStored() || !p.to.IsPlain() {
		return nil, err // in another format, its part file is still there
	}
	f, err := matfile.Open(p.out)
	if err != nil {
		return nil, nil // trust and createPart say what is wrong with it
	}
	if f.Rows != p.plan.M || f.Cols != p.plan.N || f.Elem != p.plan.Type || f.BigEndian || f.Fortran {
		f.Close()
		return nil, nil
	}
	bar := p.show.start("check what is kept", nil)
	p.spec.Kept, err = journal.Check(ctx, f, f.Info, records, bar.set)
	bar.end()
	if err == nil {
		err = p.cut()
	}
	if err != nil || !p.isStored() {
		f.Close()
		return nil, p.interrupted(ctx, err)
	}
	return f, nil
}

// confirm ends a job that was finished already.
func (p *product) confirm(ctx context.Context, there *matfile.File) error {
	defer there.Close()
	defer p.saver.journal.Close()
	p.show.note("%s was complete", p.out)
	p.rep = newReport(p, master.Report{}, 0)
	if err := p.check(ctx, there, verify.Options{}); exitCode(err) == exitWrong {
		return advise(err, "remove it and run again")
	} else if err != nil {
		return err
	}
	if err := matfile.RemovePart(ctx, p.out); err != nil {
		return err
	}
	return p.saver.journal.Remove()
}
