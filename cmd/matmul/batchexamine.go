package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"matmul/internal/gemm"
	"matmul/internal/journal"
	"matmul/internal/matfile"
	"matmul/tune"
)

// absent stands for the open file of a matrix that another job has not made
// yet. It says that there is a file, and nothing is asked of it.
var absent = new(os.File)

// inputs opens what a job reads, or, of what another job writes, says what it
// will be.
func (q *queue) inputs(it *item) (in inputs, open []*matfile.File, err error) {
	opener := newOpener(filepath.Dir(it.Out), q.crew.limits, progress{})
	for _, f := range []struct {
		to   **matfile.File
		path string
	}{{&in.a, it.A}, {&in.b, it.B}, {&in.c0, it.C0}} {
		if f.path == "" {
			continue
		}
		if by := q.byJob[q.checks.Writer(f.path)]; by != nil && by.state != itemDone && by.state != itemBefore {
			*f.to = &matfile.File{Info: by.out, File: absent}
			continue
		}
		if matfile.IsStream(f.path) {
			return in, open, inputf(f.path, "is a pipe: a batch reads files")
		}
		if *f.to, err = opener.Open(q.cmd.Context(), f.path); err != nil {
			return in, open, err
		}
		open = append(open, *f.to)
	}
	return in, open, nil
}

// examine finds out what a job is, and what it takes, from the files that are
// there and from the jobs that it comes after. Nothing is allocated or made.
func (q *queue) examine(it *item) (err error) {
	p, err := q.product(it)
	if err != nil {
		return err
	}
	var open []*matfile.File
	p.in, open, err = q.inputs(it)
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	if err == nil {
		err = p.fit(p.in)
	}
	if err == nil && (p.to.Stream || p.to.Path != it.Out) {
		err = &matfile.Error{Path: it.Out, Problem: "is no file", Want: "an output of a batch to be a file of its own", Advice: "matmul run writes to pipes, and chooses the names of members"}
	}
	if err == nil {
		err = matfile.CheckOutput(it.Out, q.force || q.resume, open...)
	}
	if err == nil {
		err = p.specify()
	}
	if err != nil {
		return err
	}
	it.describe(p)
	if err := p.to.Check(it.M, it.N); err != nil {
		return err
	}
	unfinished, err := q.unfinished(it)
	if err != nil {
		return err
	}
	it.alone = it.small() && !unfinished
	if it.alone {
		return q.examineAlone(it, p)
	}
	if err := p.makePlan(); err != nil {
		return err
	}
	n, err := p.needs()
	if err != nil {
		return err
	}
	need, _ := n.memory()
	it.cost = need + n.check // beside the tasks of others
	it.load = q.loadOf(it, p.plan)
	return q.affordJob(need)
}

// examineAlone is the rest of examine for a job that is done here.
func (q *queue) examineAlone(it *item, p *product) error {
	if err := it.Check(); err != nil {
		return err
	}
	it.cost = int64(it.shape.bytes())
	if p.abft {
		it.cost += gemm.CheckScratch(p.tuned.kernel, p.tuned.choice.Blocking(), int(it.M), int(it.N), int(it.K))
	}
	if p.method != "" {
		check, err := checkMemory(p.method, p.problem(p.in, &matfile.File{Info: it.out}), aloneOptions)
		if err != nil {
			return err
		}
		it.cost += check
	}
	it.load = q.loadAlone(it)
	if err := affordCheck(q.crew.limits.MemoryLimits, it.cost); err != nil {
		return err
	}
	return q.affordJob(it.cost)
}

// affordJob returns an error if a job takes more memory than all that runs may.
func (q *queue) affordJob(bytes int64) error {
	if bytes <= q.limit.bytes {
		return nil
	}
	return resourceError{fmt.Errorf("not enough memory: the job needs %s, and the limit is %s (%s)", tune.FormatBytes(bytes), tune.FormatBytes(q.limit.bytes), q.limit.why)}
}

// unfinished reports whether an earlier run has left a journal or a part file,
// which is an error unless it may be used or removed.
func (q *queue) unfinished(it *item) (bool, error) {
	dir, name, err := matfile.Beside(it.Out)
	if err != nil {
		return false, err
	}
	for _, suffix := range []string{journal.Suffix, matfile.PartSuffix} {
		old, err := pathExists(filepath.Join(dir, name+suffix))
		switch {
		case err != nil:
			return false, err
		case old && !q.force && !q.resume:
			return true, &matfile.Error{Path: it.Out + suffix, Problem: "is there: an earlier run has not finished",
				Advice: "use --resume with the job log to go on with it, or --force to start from the beginning"}
		case old:
			return true, nil
		}
	}
	return false, nil
}

// sameFile returns what all names of a file have in common: its name after
// symbolic links, as far as there is something.
func sameFile(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// pathExists reports whether a path names something.
func pathExists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
