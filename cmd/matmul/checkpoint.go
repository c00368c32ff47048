package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/journal"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// checkpointFlags are the flags that say what is saved of a job, and that it
// goes on with what was.
type checkpointFlags struct {
	checkpoint string
	resume     bool
}

const (
	checkpointAuto = "auto"
	checkpointOff  = "off"
)

func (f *checkpointFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.checkpoint, "checkpoint", checkpointAuto, "save finished rows of C at this `INTERVAL`, as in 30s; off; or auto: 30s if the job may take longer than a minute")
	fl.BoolVar(&f.resume, "resume", false, "go on with what the checkpoints of an earlier run have saved")
	complete(cmd, "checkpoint", checkpointAuto, checkpointOff, "30s")
}

// check checks the flags, for an output that is a stream or a file.
func (f *checkpointFlags) check(stream bool) error {
	every, err := time.ParseDuration(f.checkpoint)
	switch {
	case f.checkpoint == checkpointOff && f.resume:
		return usagef("--checkpoint off and --resume exclude each other")
	case stream && (f.resume || err == nil):
		return usagef("a stream has no checkpoints: leave out --checkpoint and --resume, or write to a file")
	case f.checkpoint == checkpointAuto, f.checkpoint == checkpointOff:
		return nil
	case err != nil || every <= 0:
		return usagef("--checkpoint %q: want a time such as 30s, auto or off", f.checkpoint)
	}
	return nil
}

const (
	usualInterval = 30 * time.Second
	longJob       = time.Minute
)

// interval returns the time between checkpoints, 0 for none.
func (p *product) interval() time.Duration {
	every, err := time.ParseDuration(p.checkpoint)
	switch {
	case err == nil:
		return every
	case p.checkpoint == checkpointOff || p.to.Stream:
		return 0
	case p.resume || p.mayBeLong() && p.expected() > longJob:
		return usualInterval
	}
	return 0
}

// slowest is a speed in flop/s that every core of today reaches.
const slowest = 5e8

// share returns the operations that this machine has to do.
func (p *product) share() float64 {
	work := tiling.Problem{M: p.spec.A.Rows, N: p.spec.B.Cols, K: p.spec.A.Cols}.Flops()
	return work / float64(max(p.team, p.ranks, 1))
}

// mayBeLong reports whether the job is worth asking how long it may take.
func (p *product) mayBeLong() bool {
	return p.share()/float64(max(min(p.crew.workers, len(p.crew.limits.Affinity)), 1))/slowest > longJob.Seconds()
}

// expected returns how long multiplying should take, measured now.
func (p *product) expected() time.Duration {
	return time.Duration(p.share() / p.rate(p.tuned.kernel, p.tuned.choice.Blocking()) * float64(time.Second))
}

// A saver is what a job has that can be resumed.
type saver struct {
	every   time.Duration
	journal *journal.Journal
	elems   atomic.Int64 // of C, written by this run
}

// stored takes the news that a rectangle is written.
func (s *saver) stored(r tiling.Rect, sum uint32) {
	s.journal.Stored(r, sum)
	s.elems.Add(r.Rows() * r.Cols())
}

// newSaver returns what saves the job whose output is name in the directory dir.
func (p *product) newSaver(dir, name string, every time.Duration) (*saver, error) {
	id, err := p.identity()
	if err != nil {
		return nil, err
	}
	j, err := journal.New(dir, name, id)
	return &saver{every: every, journal: j}, err
}

// parameters returns what a job's journal says of it, but for its inputs.
func (p *product) parameters() journal.Job {
	s := &p.spec
	return journal.Job{M: s.A.Rows, N: s.B.Cols, K: s.A.Cols, Type: s.Type.String(),
		Alpha: strconv.FormatFloat(s.Alpha, 'g', -1, 64), Beta: strconv.FormatFloat(s.Beta, 'g', -1, 64),
		TransA: p.transA, TransB: p.transB}
}

// identity returns what the job's journal says of it.
func (p *product) identity() (j journal.Job, err error) {
	j = p.parameters()
	if j.A, err = p.in.a.Fingerprint(); err != nil {
		return j, err
	}
	if j.B, err = p.in.b.Fingerprint(); err != nil || p.spec.Beta == 0 {
		return j, err
	}
	c0, err := p.in.c0.Fingerprint()
	j.C0 = &c0
	return j, err
}

// watch makes a checkpoint at every interval until stop is called. One that
// fails ends the context.
func (p *product) watch(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(p.saver.every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := p.save(); err != nil {
				cancel(err)
				return
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		ended.Wait()
	}
}

// settle decides what becomes of the part file and the journal when a job ends
// with err: they stay if there is something in them that another run can use.
func (p *product) settle(ctx context.Context, err error) error {
	if p.sheet != nil {
		p.sheet.Abort() // unless it is there
	}
	if p.saver == nil {
		p.dest.Abort()
		return err
	}
	j := p.saver.journal
	defer j.Close()
	if err == nil {
		if p.ran > 0 {
			p.rep.Checkpoint = p.reckon(j.Stats(), p.ran)
		}
		if err := j.Remove(); err != nil {
			return advise(err, "%s is complete", p.out)
		}
		return nil
	}
	if p.isSpoilt(err) {
		p.dest.Abort()
		return alsoFailed(err, j.Remove())
	}
	failed := j.Checkpoint(p.dest.Sync)
	left := p.leave(failed)
	switch {
	case !isStop(ctx, err):
		return advise(err, "%s", left)
	case failed != nil:
		return advise(failed, "%s", left)
	}
	return stopped(ctx, p.out, left)
}

// leave leaves what another run can go on with, if there is anything, and says
// what that is. failed is the error of the last checkpoint.
func (p *product) leave(failed error) string {
	j := p.saver.journal
	if j.Records() == 0 {
		p.dest.Abort()
		if err := j.Remove(); err != nil {
			return err.Error()
		}
		return "no row was saved: --resume starts from the beginning"
	}
	p.dest.Leave()
	if failed != nil {
		return "what was saved before is kept, go on with --resume"
	}
	return fmt.Sprintf("%d of %d rows are kept, go on with --resume", p.keptRows()+p.saver.elems.Load()/max(p.plan.N, 1), p.plan.M)
}

// isStop reports whether err is the news that a signal asked for the end.
func isStop(ctx context.Context, err error) bool {
	var sig signalError
	return errors.As(context.Cause(ctx), &sig) && (errors.Is(err, sig) || errors.Is(err, context.Canceled))
}

// stopped is the end of a job that a signal has ended and that can be resumed.
func stopped(ctx context.Context, output, left string) error {
	return resumeError{fmt.Errorf("%s: stopped (%v); %s", output, context.Cause(ctx), left)}
}

// alsoFailed returns err, in one line with the failure of what followed, if any.
func alsoFailed(err, then error) error {
	if then == nil {
		return err
	}
	return fmt.Errorf("%w (and then: %w)", err, then)
}

// isSpoilt reports whether what a job has stored is of no use to another run:
// it is wrong, or not of the inputs as they are.
func (p *product) isSpoilt(err error) bool {
	var file *master.FileError
	input := errors.As(err, &file) && file.Status == shmmat.BadInput
	if other := (rankError{}); errors.As(err, &other) {
		input = other.code == exitInput
	}
	return input || exitCode(err) == exitWrong || p.in.changed() != nil
}
