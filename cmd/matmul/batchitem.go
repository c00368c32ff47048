package main

import (
	"time"

	"matmul/internal/batch"
	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/tiling"
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
