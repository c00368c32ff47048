package main

import (
	"context"
	"sync"

	"matmul/internal/batch"
	"matmul/internal/matfile"
)

// commit makes the outputs of jobs durable and names them, and then lists the
// jobs, and those that failed, in the log. The error is the log's: what an item
// lacks is in the item. Journals are removed last, so that a batch that is
// killed meanwhile finds either a journal or the job in its log.
func (q *queue) commit(ctx context.Context, group []*item) error {
	var wg sync.WaitGroup
	for _, it := range group {
		if it.err == nil && it.p.saver != nil {
			wg.Go(func() { it.err = it.p.save() })
		}
	}
	wg.Wait()
	var named []*item
	var outputs []*matfile.Output
	for _, it := range group {
		if it.err == nil && !it.confirms {
			named, outputs = append(named, it), append(outputs, it.p.output())
		}
	}
	for i, err := range matfile.CommitAll(outputs) {
		named[i].err = err
		if p := named[i].p; err == nil && p.sheet != nil {
			p.dest.Abort() // what it was computed into
		}
	}
	if q.log != nil {
		entries := make([]batch.Entry, len(group))
		for i, it := range group {
			entries[i] = it.entry()
		}
		if err := q.log.Append(entries...); err != nil {
			return q.logError(err)
		}
	}
	for _, it := range group {
		it.settle(ctx)
	}
	return nil
}

// settle closes a job whose line is in the log. One that failed before it was
// made is settled.
func (it *item) settle(ctx context.Context) {
	if it.p == nil || it.p.dest == nil || it.state == itemFailed {
		return
	}
	it.err = it.p.settle(ctx, it.err)
}

// entry returns the job's line in the log.
func (it *item) entry() batch.Entry {
	e := batch.Entry{Seq: it.Seq, Start: it.began, Runtime: it.ended.Sub(it.began), Send: it.bytes,
		Exitval: exitCode(it.err), Command: it.Command()}
	if it.err == nil {
		e.Receive = it.size
	}
	return e
}
