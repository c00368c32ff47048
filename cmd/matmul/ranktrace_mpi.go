//go:build mpi

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"

	"matmul/internal/mpi"
	"matmul/internal/sys"
	"matmul/internal/trace"
)

// openTrace begins the trace of a product: at rank 0 in the file of --trace, and at
// the others in one without a name, which rank 0 is sent when the product is over.
// Times are those since its begin, by each machine's clock. Collective.
func (t *team) openTrace(ctx context.Context, p *product) (err error) {
	if *p.trace == "" {
		return nil
	}
	var w *tracer
	if t.world.Rank == 0 {
		w, err = createTrace(*p.trace, "rank 0", p.force || p.resume, p.in.all()...)
	}
	if err = t.agree(ctx, err); err != nil {
		return err
	}
	start, err := t.zero(ctx, sys.Monotonic())
	if err != nil {
		return err
	}
	if t.world.Rank == 0 {
		w.info.Name, w.info.Ranks = "matmul run "+p.out, t.world.Size
	} else {
		w, err = createPart(t.world.Rank, start)
	}
	p.tracer = w
	return t.agree(ctx, err)
}

// createPart begins a rank's part of a trace.
func createPart(rank int, start int64) (*tracer, error) {
	f, err := os.CreateTemp("", "matmul-trace-")
	if err != nil {
		return nil, resultError{fmt.Errorf("keep the trace: %w", reason(err))}
	}
	_ = os.Remove(f.Name())
	return &tracer{path: f.Name(), file: f, w: trace.NewPart(f, rank, fmt.Sprintf("rank %d", rank), start)}, nil
}

// rounds is how often a clock is asked: the answer that came soonest counts.
const rounds = 8

// zero returns what this machine's clock shows when rank 0's shows a time. Rank 0
// asks each for its time, which it takes to be that in the middle of question and
// answer. Collective.
func (t *team) zero(ctx context.Context, at int64) (int64, error) {
	buf := mpi.Alloc(8)
	defer mpi.Free(buf)
	if t.world.Rank > 0 {
		for range rounds {
			err := t.transfer(ctx, t.world.Receive, buf, 0)
			binary.NativeEndian.PutUint64(buf, uint64(sys.Monotonic()))
			if err == nil {
				err = t.transfer(ctx, t.world.Send, buf, 0)
			}
			if err != nil {
				return 0, err
			}
		}
		err := t.transfer(ctx, t.world.Receive, buf, 0)
		return int64(binary.NativeEndian.Uint64(buf)), err
	}
	for rank := 1; rank < t.world.Size; rank++ {
		if err := t.align(ctx, rank, at, buf); err != nil {
			return 0, err
		}
	}
	return at, nil
}

// align tells a rank what its clock shows at a time of this one's.
func (t *team) align(ctx context.Context, rank int, at int64, buf []byte) error {
	ahead, least := int64(0), int64(math.MaxInt64)
	for range rounds {
		asked := sys.Monotonic()
		err := t.transfer(ctx, t.world.Send, buf, rank)
		if err == nil {
			err = t.transfer(ctx, t.world.Receive, buf, rank)
		}
		if err != nil {
			return err
		}
		if took := sys.Monotonic() - asked; took < least {
			ahead, least = int64(binary.NativeEndian.Uint64(buf))-(asked+took/2), took
		}
	}
	binary.NativeEndian.PutUint64(buf, uint64(at+ahead))
	return t.transfer(ctx, t.world.Send, buf, rank)
}

// closeTrace brings what every rank has noted to rank 0, whose trace it completes.
// The product has ended with err; if others are lost, the trace is of this rank
// alone. Collective, unless they are.
func (t *team) closeTrace(ctx context.Context, p *product, err error) error {
	if p.tracer == nil || t.lost {
		return p.tracer.close(err)
	}
	ctx = context.WithoutCancel(ctx) // a signal has done its work by now
	var failed error
	if t.world.Rank > 0 {
		failed = p.tracer.w.Close(p.tracer.info)
	}
	if failed = t.agree(ctx, failed); failed == nil {
		failed = t.gatherParts(ctx, p.tracer)
	}
	if err == nil && failed != nil {
		err = resultError{fmt.Errorf("write the trace to %s: %w", *p.trace, reason(failed))}
	}
	return p.tracer.close(err)
}

// gatherParts brings the parts of all ranks to rank 0, one after the other.
// Collective.
func (t *team) gatherParts(ctx context.Context, w *tracer) (err error) {
	buf := mpi.Alloc(chunkSize)
	defer mpi.Free(buf)
	if t.world.Rank > 0 {
		err = t.sendPart(ctx, w.file, buf)
	}
	for rank := 1; rank < t.world.Size && t.world.Rank == 0 && err == nil; rank++ {
		err = t.receivePart(ctx, rank, w.w, buf)
	}
	if t.lost {
		return err
	}
	return t.agree(ctx, err)
}

// sendPart sends a part to rank 0: its size, and pieces of it.
func (t *team) sendPart(ctx context.Context, f *os.File, buf []byte) error {
	size, err := f.Seek(0, io.SeekEnd)
	binary.NativeEndian.PutUint64(buf, uint64(size))
	failed := t.transfer(ctx, t.world.Send, buf[:8], 0)
	for at := int64(0); at < size && failed == nil; at += chunkSize {
		piece := buf[:min(chunkSize, size-at)]
		if _, e := f.ReadAt(piece, at); e != nil {
			err = e
			copy(piece, bytes.Repeat([]byte{' '}, len(piece))) // which is nothing in a trace
		}
		failed = t.transfer(ctx, t.world.Send, piece, 0)
	}
	return cmp.Or(failed, err)
}

// receivePart adds the part of a rank to the trace.
func (t *team) receivePart(ctx context.Context, rank int, w *trace.Writer, buf []byte) error {
	if err := t.transfer(ctx, t.world.Receive, buf[:8], rank); err != nil {
		return err
	}
	for left := int64(binary.NativeEndian.Uint64(buf)); left > 0; left -= chunkSize {
		piece := buf[:min(chunkSize, left)]
		if err := t.transfer(ctx, t.world.Receive, piece, rank); err != nil {
			return err
		}
		w.Append(piece)
	}
	return nil
}

// traceStep notes what this rank has done from a time on.
func (p *part) traceStep(row trace.StepRow, name string, step int, begin int64) {
	if p.tracer != nil {
		p.tracer.w.Step(trace.Step{Row: row, Name: name, Number: step, Begin: begin, End: sys.Monotonic()})
	}
}
