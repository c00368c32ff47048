package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"matmul/internal/batch"
	"matmul/internal/journal"
	"matmul/internal/matfile"
	"matmul/internal/sys"
	"matmul/tune"
)

// A listError is all that is wrong with a list of jobs.
type listError struct {
	name     string
	problems []listProblem
}

type listProblem struct {
	batch.Problem
	code int // exit status
}

func (e *listError) Error() string {
	return fmt.Sprintf("%s: %d line(s) are wrong; nothing was run", e.name, e.count())
}

// count returns how many lines have a problem.
func (e *listError) count() int {
	lines := map[int]bool{}
	for _, p := range e.problems {
		lines[p.Line] = true
	}
	return len(lines)
}

// lines returns what is to be said.
func (e *listError) lines() (lines []string) {
	for _, p := range e.problems {
		lines = append(lines, fmt.Sprintf("%s:%d: %s", e.name, p.Line, p.Text))
	}
	if len(lines) > 1 {
		lines = append(lines, e.Error())
	}
	return lines
}

// code returns the exit status: that of what all problems have in common, or
// else that of bad input.
func (e *listError) code() int {
	for _, p := range e.problems {
		if p.code != e.problems[0].code {
			return exitInput
		}
	}
	return e.problems[0].code
}

// readAll reads the whole list and finds out all that is wrong with it.
func (q *queue) readAll(from *batch.Reader) error {
	bad := &listError{name: q.name}
	var jobs []*batch.Job
	for {
		j, problems, err := from.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", q.name, bareError(err))
		}
		bad.add(exitInput, problems...)
		if j != nil {
			jobs = append(jobs, j)
		}
	}
	if bad.problems == nil { // else what misses a job would be wrong, too
		bad.add(exitInput, q.checks.All(jobs)...)
	}
	if bad.problems != nil {
		return bad.sorted()
	}
	for _, j := range jobs {
		q.items = append(q.items, q.newItem(j))
	}
	return q.examineAll(jobs, bad)
}

// examineAll examines all jobs, each after those whose outputs it reads.
func (q *queue) examineAll(jobs []*batch.Job, bad *listError) error {
	wrong := map[string]bool{}
	free := q.examineFree()
	for _, j := range batch.InOrder(jobs) {
		it := q.byJob[j]
		if it.state != itemWaits {
			wrong[j.ID] = it.state == itemFailed // what comes after it is skipped
			continue
		}
		if slices.ContainsFunc(j.After, func(id string) bool { return wrong[id] }) {
			wrong[j.ID] = true // nothing can be said of it
			continue
		}
		err, did := free[it]
		if !did {
			err = q.examine(it)
		}
		if err == nil {
			continue
		}
		if err := context.Cause(q.cmd.Context()); err != nil {
			return err
		}
		wrong[j.ID] = true
		bad.add(exitCode(err), batch.Problem{Line: j.Line, Text: err.Error()})
	}
	if bad.problems == nil {
		q.affordOutputs(bad)
	}
	if bad.problems != nil {
		return bad.sorted()
	}
	return nil
}

// examineFree examines the jobs that come after no others, by as many goroutines as
// there are workers, and returns what is wrong with each.
func (q *queue) examineFree() map[*item]error {
	var all []*item
	for _, it := range q.items {
		if it.state == itemWaits && len(it.After) == 0 {
			all = append(all, it)
		}
	}
	errs := make([]error, len(all))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range q.crew.workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				errs[i] = q.examine(all[i])
			}
		})
	}
	wg.Wait()
	of := make(map[*item]error, len(all))
	for i, it := range all {
		of[it] = errs[i]
	}
	return of
}

// affordOutputs compares what all outputs take together with what their file systems
// have free, and names the job that is the first to find no room. What an output
// replaces is free afterwards.
func (q *queue) affordOutputs(bad *listError) {
	taken := map[uint64]int64{} // by file system
	for _, it := range q.items {
		dir := filepath.Dir(it.Out)
		on, err := sys.FileSystemOf(dir)
		if err != nil || it.state != itemWaits {
			continue
		}
		before := taken[on.ID]
		size := it.size
		if old, err := os.Stat(it.Out); err == nil {
			size -= old.Size()
		}
		taken[on.ID] += max(size, 0)
		if before <= on.Free && taken[on.ID] > on.Free {
			bad.add(exitResource, batch.Problem{Line: it.Line, Text: fmt.Sprintf("not enough space in %s: the outputs up to this one take %s, free are %s",
				dir, tune.FormatBytes(taken[on.ID]), tune.FormatBytes(on.Free))})
		}
	}
}

func (e *listError) add(code int, problems ...batch.Problem) {
	for _, p := range problems {
		e.problems = append(e.problems, listProblem{p, code})
	}
}

func (e *listError) sorted() error {
	slices.SortStableFunc(e.problems, func(a, b listProblem) int { return cmp.Compare(a.Line, b.Line) })
	return e
}

// newItem takes a job, with what the log says of it.
func (q *queue) newItem(j *batch.Job) *item {
	it := &item{Job: j}
	q.byJob[j] = it
	e, listed := q.listed[j.Command()]
	switch {
	case !listed || e.Exitval != 0 && q.resumeFailed:
	case e.Exitval == 0:
		it.state = itemBefore
	default:
		it.state, it.err = itemFailed, earlierError{e.Exitval}
	}
	return it
}

// An earlierError is a job that failed in an earlier batch.
type earlierError struct{ code int }

func (e earlierError) Error() string {
	return fmt.Sprintf("failed before, with exit status %d; use --resume-failed to do it again", e.code)
}

// tidy removes the journal of a job that an earlier batch has done, and that was
// killed before it could. The journal of another job is left alone, and so is
// one of which that is not sure.
func (q *queue) tidy(ctx context.Context, it *item) {
	dir, name, err := matfile.Beside(it.Out)
	if err != nil {
		return
	}
	if old, err := journal.Exists(dir, name); err != nil || !old {
		return
	}
	p, err := q.product(it)
	if err != nil {
		return
	}
	err = p.openInputs(ctx, it.A, it.B)
	if err == nil {
		defer p.in.close()
		err = p.specify()
	}
	if err == nil {
		p.saver, err = p.newSaver(dir, name, usualInterval)
	}
	if err != nil {
		return
	}
	defer p.saver.journal.Close()
	if _, _, err := p.saver.journal.Read(); err != nil {
		return
	}
	if err := forget(ctx, it.Out); err != nil {
		warn("%v", err)
	}
}
