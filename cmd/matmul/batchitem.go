package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"matmul/internal/batch"
	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/journal"
	"matmul/internal/matfile"
	"matmul/internal/sys"
	"matmul/internal/verify"
	"matmul/master"
	"matmul/tiling"
	"matmul/tune"
)

// An item is a job of a batch, what is known of it before it runs, and what
// became of it.
type item struct {
	*batch.Job
	shape
	alone bool         // it is done by one processor, see alone.go
	out   matfile.Info // of the output
	to    matfile.Target
	size  int64 // bytes of its file, at most until it is made
	cost  int64 // bytes of memory while it runs
	load  batch.Load
	sharing
	confirms bool // the output is there: it is compared, and not written

	came    time.Time // it could run from then on
	began   time.Time
	ended   time.Time
	queued  time.Duration // from when its tasks could be taken to the first one's begin
	p       *product      // while it runs
	seconds seconds
	verdict *verdict
	abft    *checks // nil without checks of tiles
	bytes   int64   // of the inputs
	kept    int64   // rows of C that an earlier batch has saved
	state   itemState
	err     error // of one that failed
}

type itemState uint8

const (
	itemWaits   itemState = iota
	itemRuns              // computing, being verified
	itemMade              // its output is complete, but not on disk
	itemDone              // with its output, and its line in the log
	itemBefore            // was done by an earlier batch
	itemFailed            // has its line in the log
	itemSkipped           // comes after one that failed, or the batch has ended before
)

var itemStates = [...]string{"waiting", "running", "written", "done", "done before", "failed", "skipped"}

func (s itemState) String() string { return itemStates[s] }

// product returns the job as run knows it.
func (q *queue) product(it *item) (*product, error) {
	how := it.Verify
	if how == "" {
		how = q.verify
	}
	method, err := parseMethod(how)
	if err != nil {
		return nil, err
	}
	to, err := matfile.ParseTarget(it.Out, "")
	f := &runFlags{
		problemFlags:    problemFlags{alpha: it.Alpha, beta: it.Beta, transA: it.TransA, transB: it.TransB, c0: it.C0},
		checkpointFlags: checkpointFlags{checkpoint: q.checkpoint},
		out:             it.Out, dtype: it.DType, tile: "auto", force: q.force, abft: q.abft,
	}
	return &product{runFlags: f, to: to, cmd: q.cmd, crew: q.crew, method: method, name: it.ID, batched: true, prefix: it.ID + ": ",
		priority: uint8(it.Priority), choose: q.choose, show: q.barsOf(it)}, err
}

// barsOf returns what shows how far a job is; what one processor does alone is
// over soon.
func (q *queue) barsOf(it *item) progress {
	if it.alone {
		return progress{}
	}
	return q.show
}

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

// describe notes what a product is.
func (it *item) describe(p *product) {
	it.shape = p.shape()
	it.to, it.size = p.to, p.to.Size(it.M, it.N, it.elem)
	it.out = matfile.Info{Path: it.Out, Rows: it.M, Cols: it.N, Dims: 2, Elem: it.elem}
	if f := p.to.Format; f.IsText() || f == matfile.Market {
		it.out.Elem = elem.Float64 // as what reads it finds it
	}
	it.bytes = 0
	for _, f := range p.in.all() {
		it.bytes += f.DataSize()
	}
}

func (p *product) shape() shape {
	s := &p.spec
	return shape{Problem: tiling.Problem{M: s.A.Rows, N: s.B.Cols, K: s.A.Cols}, elem: s.Type, c0: s.Beta != 0}
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

// aloneOptions verify what one processor does.
var aloneOptions = verify.Options{Workers: 1}

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
