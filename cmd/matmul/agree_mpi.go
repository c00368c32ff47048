//go:build mpi

package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"
)

// noteSize is the bytes of an error that another rank can tell.
const noteSize = 1024

// ballot is what a rank says of an error: of all the largest, that of the lowest
// rank that has one, counts.
func (t *team) ballot(err error) int64 {
	if err == nil {
		return 0
	}
	return int64(t.world.Size-t.world.Rank)<<8 | int64(exitCode(err))
}

// agree returns nil if every rank's error is nil; else, at the lowest rank with
// one, that error, and at the others what that rank says. Collective.
func (t *team) agree(ctx context.Context, err error) error {
	if t.lost {
		return err
	}
	v, failed := t.most(ctx, t.ballot(err))
	if failed != nil {
		return failed
	}
	return t.verdict(ctx, v, err)
}

// verdict tells everybody the error that an agreement has found. Collective.
func (t *team) verdict(ctx context.Context, v int64, err error) error {
	if v == 0 {
		return nil
	}
	who := t.world.Size - int(v>>8)
	clear(t.note)
	if who == t.world.Rank {
		copy(t.note, strings.ToValidUTF8(oneLine(err.Error()), ""))
	}
	failed := t.bcast(ctx, t.note, who)
	switch {
	case failed != nil:
		return failed
	case who == t.world.Rank:
		return err
	}
	return rankError{rank: who, code: int(v & 0xff), text: strings.TrimRight(string(t.note), "\x00")}
}

// conclude ends the product at every rank with the status of rank 0, which tells
// the user. Collective, unless the others are lost: then it ends them.
func (t *team) conclude(ctx context.Context, err error) error {
	if !t.lost {
		code := 0
		if t.world.Rank == 0 {
			code = exitCode(err)
		}
		// A signal has done its work by now.
		status, failed := t.most(context.WithoutCancel(ctx), int64(code))
		if failed == nil && t.world.Rank > 0 {
			err = elsewhere(int(status))
		} else {
			err = errors.Join(err, failed)
		}
	}
	if t.lost {
		t.giveUp(err)
	}
	t.watch.end()
	t.ended = err
	return err
}

// giveUp ends all ranks at once. Rank 0 comes first, so that there is one message
// if it lives.
func (t *team) giveUp(err error) {
	if t.world.Rank > 0 {
		time.Sleep(time.Second + min(50*time.Millisecond*time.Duration(t.world.Rank), 3*time.Second))
	}
	t.watch.tell(err)
	code := max(exitCode(err), exitFailed)
	time.AfterFunc(abortTime, func() { os.Exit(code) })
	t.world.Abort(code)
}

// elsewhere returns the error of a rank whose product has failed at another.
func elsewhere(code int) error {
	if code == exitDone {
		return nil
	}
	return rankError{code: code, silent: true}
}
