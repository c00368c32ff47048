package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// epoch is that of the one peer that a segment ever has.
const epoch = 1

func layout() (shmmat.Layout, error) {
	return shmmat.NewLayout(shmmat.Lengths{shmmat.Control: shmmat.ControlSize(1), shmmat.C: maxBytes})
}

// link is the sending end, with the process at the other one.
type link struct {
	cmd          *exec.Cmd
	said         bytes.Buffer
	dead         chan struct{} // closed when the peer has ended
	seg          *shmmat.Segment
	view         *shmmat.View
	end          *shmmat.MasterEnd
	shared       []byte
	private      []byte // what goes through the kernel
	socket, pipe *os.File
	id           int64
}

// newLink starts a peer on a processor, -1 for any.
func newLink(cpu int) (l *link, err error) {
	l = &link{private: make([]byte, maxBytes), dead: make(chan struct{})}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	lay, err := layout()
	if err != nil {
		return nil, err
	}
	if l.seg, err = shmmat.Create(shmmat.Memfd, lay, ""); err != nil {
		return nil, err
	}
	if l.view, err = l.seg.Map(shmmat.All(true)); err != nil {
		return nil, err
	}
	l.view.Settle()
	l.shared = l.view.Bytes(shmmat.C)
	board, err := shmmat.OpenBoard(l.view.Bytes(shmmat.Control), 1)
	if err != nil {
		return nil, err
	}
	l.end = board.Master(0, epoch)
	return l, l.start(cpu)
}

// start starts the peer, whose ends of the socket and the pipe are closed here.
func (l *link) start(cpu int) error {
	mine, theirs, err := sys.SocketPair()
	if err != nil {
		return err
	}
	l.socket = mine
	defer theirs.Close()
	sys.SetSendBuffer(mine, room)
	r, w, err := sys.Pipe(room)
	if err != nil {
		return err
	}
	l.pipe = w
	defer r.Close()
	_, memory := l.seg.Handle()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"matmul-peer"}
	cmd.Env = append(os.Environ(), mark+"="+strconv.Itoa(cpu), "GOMAXPROCS=1", "GOGC=off")
	cmd.ExtraFiles = []*os.File{memory, theirs, r}
	cmd.Stderr = &l.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start peer: %w", err)
	}
	l.cmd = cmd
	go func() {
		cmd.Wait()
		close(l.dead)
	}()
	return nil
}

// close ends the peer and frees everything.
func (l *link) close() {
	if l.cmd != nil {
		l.cmd.Process.Kill()
		<-l.dead
	}
	for _, f := range []*os.File{l.socket, l.pipe} {
		if f != nil {
			f.Close()
		}
	}
	if l.view != nil {
		l.view.Close()
	}
	if l.seg != nil {
		l.seg.Close()
	}
}

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
