//go:build mpi

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/mpi"
	"matmul/internal/sys"
	"matmul/master"
)

// onRanks does a product together with the other ranks of an MPI job, and
// reports whether there is one.
func (f *runFlags) onRanks(cmd *cobra.Command, args []string) (did bool, err error) {
	if !mpi.Launched() || f.dryRun {
		return false, nil
	}
	return true, f.together(cmd, args)
}

// together does the product. What goes wrong at one rank ends it at all, by an
// agreement; rank 0 alone writes to the terminal.
func (f *runFlags) together(cmd *cobra.Command, args []string) error {
	start := time.Now()
	hired, local := f.hire(cmd, args)
	defer hired.close()
	t, err := join(cmd.Context())
	if err != nil {
		return err
	}
	defer t.leave()
	p := hired.product
	p.team = t.world.Size
	if t.world.Rank > 0 {
		p.show = progress{}
	}
	ctx := cmd.Context()
	finished := false
	err = t.agree(ctx, local)
	if err == nil {
		err = t.open(ctx, hired, args)
	}
	err = recommend(err)
	if err == nil {
		err = t.sameInputs(ctx, p)
	}
	if err == nil {
		finished, err = t.openOutput(ctx, p)
	}
	if err == nil && !finished {
		err = t.produce(ctx, hired)
	}
	p.rep.Seconds.Total = time.Since(start).Seconds()
	if err == nil && t.world.Rank == 0 {
		err = p.print()
	}
	return t.conclude(ctx, err)
}

// hired is what a rank has before it joins the others: the workers must have
// been started by then, since networks forbid or dislike it afterwards.
type hired struct {
	*product
	pool *master.Pool
	rate float64 // flop/s of all workers
}

// hire starts the workers. What the matrices are is not known yet.
func (f *runFlags) hire(cmd *cobra.Command, args []string) (h *hired, err error) {
	h = &hired{product: &product{runFlags: f, cmd: cmd}}
	p, err := f.prepare(cmd)
	if err != nil {
		return h, err
	}
	h.product = p
	if *f.trace != "" {
		return h, usagef("--trace: ranks write no trace")
	}
	for _, name := range []string{args[0], args[1], f.c0, f.out} {
		if matfile.IsStream(name) {
			return h, usagef("%s: ranks read and write files, no pipes", name)
		}
	}
	t := elem.Float64
	if f.dtype != "" {
		t, _ = elem.Parse(f.dtype)
	}
	if p.tuned, err = p.crew.tuned(t); err != nil {
		return h, err
	}
	dir, _, err := matfile.Beside(p.out)
	if err != nil && f.scatter {
		dir, err = os.TempDir(), nil // rank 0 alone has the output's directory
	}
	if err != nil {
		return h, err
	}
	if h.pool, err = p.crew.open(dir, p.tuned.choice); err != nil {
		return h, err
	}
	return h, h.measure(cmd.Context())
}

// measure measures the speed of the workers. All take part, so all have been
// started when it returns.
func (h *hired) measure(ctx context.Context) (err error) {
	h.rate, err = h.pool.Peak(ctx, h.tuned.kernel, peakTime)
	return err
}

func (h *hired) close() {
	if h.pool != nil {
		h.pool.Close()
	}
	h.in.close()
}

// A team is the ranks of a product, as one of them sees it.
type team struct {
	world *mpi.Comm
	vote  *int64 // for agreements
	note  []byte // for what one rank tells the others
	lost  bool   // the others cannot be reached any more
	watch *watch
	// underway is how long messages may take that others have begun to send.
	underway time.Duration
}

// noteSize is the bytes of an error that another rank can tell.
const noteSize = 1024

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

// leave ends MPI, unless the others are lost.
func (t *team) leave() {
	if !t.lost {
		_ = mpi.Finalize()
	}
}

const (
	eager = 200 * time.Microsecond // of looking for messages without a pause
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
	return t.until(ctx, func() (bool, error) { return allDone(rs) }, func() { pause(begin) })
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
// begin.
func pause(begin time.Time) {
	if waited := time.Since(begin); waited < eager {
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

// open opens the inputs, at every rank or at rank 0 for all, and says what the
// product is. Collective.
func (t *team) open(ctx context.Context, h *hired, args []string) error {
	var err error
	if t.world.Rank == 0 || !h.scatter {
		err = h.openInputs(ctx, args[0], args[1])
	}
	err = t.agree(ctx, err)
	if err == nil && h.scatter {
		err = t.describe(ctx, h.product)
	}
	if err != nil {
		return err
	}
	if err = h.specify(); err == nil {
		err = h.to.Check(h.spec.A.Rows, h.spec.B.Cols)
	}
	if err == nil {
		err = h.measure(ctx) // with the kernel for these matrices
	}
	return t.agree(ctx, err)
}

// recommend adds to the error of a rank that cannot use a file, as rank 0 can.
func recommend(err error) error {
	if remote := (rankError{}); errors.As(err, &remote) && remote.rank > 0 && remote.code == exitInput {
		return advise(err, "rank 0 can use it: use files that all ranks share, or --scatter")
	}
	return err
}

// sameInputs returns an error unless all ranks see the same inputs. Collective.
func (t *team) sameInputs(ctx context.Context, p *product) error {
	sum, err := p.digest()
	if err := t.agree(ctx, err); err != nil {
		return err
	}
	most, err := t.most(ctx, sum)
	if err != nil {
		return err
	}
	least, err := t.least(ctx, sum)
	if err == nil && most != least {
		return inputf(p.in.a.Path, "or another input, or an option, is not the same at all ranks; use files that all ranks share, or --scatter")
	}
	return err
}

// digest returns a number that differs if the product does, as far as this rank
// sees it.
func (p *product) digest() (int64, error) {
	id := p.parameters()
	if !p.scatter {
		var err error
		if id, err = p.identity(); err != nil {
			return 0, err
		}
	}
	// Times may differ between machines that each have a copy.
	for _, f := range []*matfile.Fingerprint{&id.A, &id.B, id.C0} {
		if f != nil {
			f.Modified, f.Changed = "", ""
		}
	}
	text, err := json.Marshal(id)
	return int64(crc32.ChecksumIEEE(text)), err
}

// openOutput opens the output at rank 0, which alone creates and names it, and
// reports whether an earlier run had finished it. Collective.
func (t *team) openOutput(ctx context.Context, p *product) (finished bool, err error) {
	there := int64(0)
	if t.world.Rank == 0 {
		err = matfile.CheckOutput(p.out, p.force || p.resume, p.in.all()...)
		var f *matfile.File
		if err == nil {
			f, err = p.openOutput(ctx)
		}
		if err == nil && f != nil {
			there, err = 1, p.confirm(ctx, f)
		}
	}
	opened := err == nil && p.dest != nil
	if err = t.agree(ctx, err); err == nil {
		there, err = t.most(ctx, there)
	}
	if err != nil && opened {
		err = p.settle(ctx, err)
	}
	return there == 1, err
}

// produce computes C, and at rank 0 checks it and gives it its name. It ends the
// use of the output. Collective.
func (t *team) produce(ctx context.Context, h *hired) error {
	p := h.product
	err := t.compute(ctx, h)
	if err == nil {
		err = t.check(ctx, p)
	}
	if t.world.Rank > 0 {
		return err
	}
	if err == nil && !p.to.IsPlain() {
		err = p.convert(ctx)
	}
	if err == nil {
		err = p.commit()
	}
	if remote := (rankError{}); errors.As(err, &remote) && remote.code > exitSignal {
		// A signal to one rank is one to all.
		stopped, cancel := context.WithCancelCause(ctx)
		sig := signalError{syscall.Signal(remote.code - exitSignal)}
		cancel(sig)
		ctx, err = stopped, sig
	}
	return p.settle(ctx, err)
}
