package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// send hands the peer a task.
func (l *link) send(kind tiling.Kind, r tiling.Rect) {
	l.id++
	l.end.Send(shmmat.Task{Kind: kind, ID: l.id, Rect: r})
}

// answer waits for the peer to have done its task, and returns when it had. It
// looks all the time: this end is the one that is awake.
func (l *link) answer(ctx context.Context) (int64, error) {
	for i := 1; ; i++ {
		if a, ok := l.end.Take(); ok {
			if a.ID != l.id {
				return 0, fmt.Errorf("answer to message %d, want %d", a.ID, l.id)
			}
			return a.End, nil
		}
		if i%1024 != 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-l.dead:
			return 0, errors.New("the peer died: " + l.said.String())
		default:
			runtime.Gosched() // the goroutine that waits for the peer's end
			sys.Yield()       // one processor alone must be shared
		}
	}
}

// handOver hands n bytes over and returns how long they were on their way.
func (l *link) handOver(ctx context.Context, w Way, n int64) (time.Duration, error) {
	if w == Spinning || w == Asleep {
		fill(l.shared[:n], byte(l.id))
		l.restIf(w == Asleep)
		start := sys.Monotonic()
		l.send(look, tiling.Rect{R0: n})
		end, err := l.answer(ctx)
		return time.Duration(end - start), err
	}
	fill(l.private[:n], byte(l.id))
	l.send(read, tiling.Rect{R0: n, R1: int64(w)})
	l.restIf(true)
	to := l.pipe
	if w == Socket {
		to = l.socket
	}
	start := sys.Monotonic()
	if err := write(to, l.private[:n]); err != nil {
		return 0, err
	}
	end, err := l.answer(ctx)
	return time.Duration(end - start), err
}

// restIf leaves the peer alone until it sleeps. The processor is kept busy: one
// that sleeps, too, would take its time to wake.
func (l *link) restIf(sleeps bool) {
	if !sleeps {
		return
	}
	for start := time.Now(); time.Since(start) < rest; {
	}
}

// write writes in packets of a size that a socket takes.
func write(to *os.File, b []byte) error {
	for len(b) > 0 {
		n, err := to.Write(b[:min(len(b), packet)])
		if err != nil {
			return fmt.Errorf("send to peer: %w", err)
		}
		b = b[n:]
	}
	return nil
}

// fill writes every cache line.
func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
