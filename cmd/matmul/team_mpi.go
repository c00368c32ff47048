//go:build mpi

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"matmul/internal/mpi"
	"matmul/internal/sys"
)

// A team is the ranks of a product, as one of them sees it.
type team struct {
	world *mpi.Comm
	vote  *int64 // for agreements
	note  []byte // for what one rank tells the others
	lost  bool   // the others cannot be reached any more
	ended error  // what all ranks have concluded
	watch *watch
	local bool // all ranks are processes of one machine
	// underway is how long messages may take that others have begun to send.
	underway time.Duration
}

// join initialises MPI. Collective.
func join(ctx context.Context) (*team, error) {
	w := newWatch()
	// A call of MPI, a nap and the wait for the workers each hold one.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	world, err := mpi.Init()
	if err != nil {
		return nil, err
	}
	t := &team{world: world, vote: mpi.AllocInt64(), note: mpi.Alloc(noteSize), watch: w}
	if err := t.neighbours(ctx); err != nil {
		t.giveUp(err)
		return nil, err
	}
	return t, nil
}

// leave ends MPI, unless the others are lost. Some libraries never come back from
// that: then the job is ended as it would have ended, since all ranks are done.
func (t *team) leave() {
	if t.lost {
		return
	}
	hangs := time.AfterFunc(finalTime, func() {
		if t.world.Rank == 0 {
			err := t.ended
			if err == nil {
				err = fmt.Errorf("all is done, but MPI_Finalize does not return: the job ends without it")
			}
			say(os.Stderr, err)
		}
		os.Exit(exitCode(t.ended))
	})
	_ = mpi.Finalize()
	hangs.Stop()
}

const (
	eager = 200 * time.Microsecond // of looking for a message without a pause
	// A pause between looks is a part of the time waited so far, within bounds.
	leastPause = 20 * time.Microsecond
	mostPause  = time.Millisecond
	// deaf is how long after a signal the others may take to answer, beside what
	// their messages take. Launchers signal the ranks of a job one of which has died.
	deaf = 5 * time.Second
)

// wait drives the requests until all are done.
func (t *team) wait(ctx context.Context, rs ...*mpi.Request) error {
	begin := time.Now()
	return t.until(ctx, func() (bool, error) { return allDone(rs) }, func() { pause(begin, eager) })
}

// allDone drives requests and reports whether all are done.
func allDone(rs []*mpi.Request) (bool, error) {
	for _, r := range rs {
		if done, err := r.Done(); !done || err != nil {
			return false, err
		}
	}
	return true, nil
}

// pause passes the time to the next look of one who has nothing else to do since
// begin: at first as little as it can.
func pause(begin time.Time, first time.Duration) {
	if waited := time.Since(begin); waited < first {
		sys.Yield()
	} else {
		sys.Nap(min(max(waited/16, leastPause), mostPause))
	}
}

// until calls look, which drives MPI, until it reports true, and between two calls
// rest. An error means that the other ranks cannot be reached.
func (t *team) until(ctx context.Context, look func() (bool, error), rest func()) error {
	var ended time.Time
	for {
		done, err := look()
		if err != nil {
			t.lost = true
			return fmt.Errorf("%w: another rank has died, or the network failed", err)
		}
		if done {
			return nil
		}
		if err := t.watch.err(); err != nil {
			t.lost = true
			return err
		}
		switch {
		case ended.IsZero() && ctx.Err() != nil:
			ended = time.Now()
		case !ended.IsZero() && time.Since(ended) > deaf+t.underway:
			t.lost = true
			return fmt.Errorf("%w, and other ranks do not answer", context.Cause(ctx))
		}
		rest()
	}
}

// reached notes whether a call of MPI, other than for files, has failed: then the
// others cannot be told.
func (t *team) reached(err error) error {
	t.lost = t.lost || err != nil
	return err
}

// most returns the largest of all ranks' numbers. Collective.
func (t *team) most(ctx context.Context, v int64) (int64, error) {
	*t.vote = v
	r, err := t.world.Max(t.vote)
	if t.reached(err) == nil {
		err = t.wait(ctx, r)
	}
	return *t.vote, err
}

// bcast copies the buffer of root to all others'. Collective.
func (t *team) bcast(ctx context.Context, buf []byte, root int) error {
	r, err := t.world.Bcast(buf, root)
	if t.reached(err) == nil {
		err = t.wait(ctx, r)
	}
	return err
}

// share returns what rank 0 gives. Collective.
func (t *team) share(ctx context.Context, text []byte) ([]byte, error) {
	n, err := t.most(ctx, int64(len(text))) // others give nothing
	if err != nil {
		return nil, err
	}
	all := mpi.Alloc(int(n))
	copy(all, text)
	return all, t.bcast(ctx, all, 0)
}

// transfer sends or receives a message, and waits for it.
func (t *team) transfer(ctx context.Context, by func([]byte, int) (*mpi.Request, error), buf []byte, peer int) error {
	r, err := by(buf, peer)
	if t.reached(err) == nil {
		err = t.wait(ctx, r)
	}
	return err
}

// least returns the smallest of all ranks' numbers. Collective.
func (t *team) least(ctx context.Context, v int64) (int64, error) {
	v, err := t.most(ctx, -v)
	return -v, err
}
