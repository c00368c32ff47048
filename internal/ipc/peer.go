package ipc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
)

// mark is the variable that turns a process into a peer; its value is the
// processor to run on, -1 for any. Descriptors 3, 4 and 5 are the segment, the
// socket and the pipe.
const mark = "MATMUL_IPC_PEER"

// Main turns this process into a peer and does not return if it was started as
// one; otherwise it returns at once. It must be called first thing in main.
func Main() {
	value, ok := os.LookupEnv(mark)
	if !ok {
		return
	}
	if err := serve(value); err != nil {
		fmt.Fprintf(os.Stderr, "matmul: peer %d: %v\n", os.Getpid(), err)
		os.Exit(1)
	}
	os.Exit(0)
}

// peer is the receiving end.
type peer struct {
	end          *shmmat.WorkerEnd
	shared       []byte
	private      []byte // where what comes through the kernel goes
	socket, pipe *os.File
	spin         time.Duration
	parent       int
	sum          byte // of all that was touched, so that it is not optimised away
}

func serve(value string) error {
	runtime.LockOSThread()
	cpu, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("%s is %q: this variable is not for users", mark, value)
	}
	if cpu >= 0 {
		if err := sys.SetAffinity(0, []int{cpu}); err != nil {
			return err
		}
	}
	view, err := attach(os.NewFile(3, "segment"))
	if err != nil {
		return err
	}
	board, err := shmmat.OpenBoard(view.Bytes(shmmat.Control), 1)
	if err != nil {
		return err
	}
	p := &peer{
		end: board.Worker(0, epoch), shared: view.Bytes(shmmat.C), private: make([]byte, maxBytes),
		socket: os.NewFile(4, "socket"), pipe: os.NewFile(5, "pipe"), parent: os.Getppid(),
	}
	fill(p.private, 0) // present
	return p.loop()
}

// attach maps the segment.
func attach(file *os.File) (*shmmat.View, error) {
	l, err := layout()
	if err != nil {
		return nil, err
	}
	seg, err := shmmat.Attach(shmmat.Handle{Kind: shmmat.Memfd, Size: l.Size}, file)
	if err != nil {
		return nil, err
	}
	view, err := seg.Map(shmmat.All(true))
	if err == nil {
		view.Settle()
	}
	return view, err
}

// loop does tasks until the parent says Quit or is gone.
func (p *peer) loop() error {
	for {
		if err := p.end.Bell.Wait(p.end.Waiting, p.spin, patience, false); err != nil {
			return err
		}
		t, ok := p.end.Take()
		switch {
		case !ok && os.Getppid() != p.parent, ok && t.Kind == shmmat.Quit:
			return nil
		case !ok:
			continue
		}
		if err := p.do(t); err != nil {
			return err
		}
		p.end.End(t, shmmat.Answer{ID: t.ID, End: sys.Monotonic(), Value: int64(p.sum)}, 0)
	}
}

func (p *peer) do(t shmmat.Task) error {
	n := t.Rect.R0
	switch t.Kind {
	case settle:
		p.spin = time.Duration(n)
	case look:
		p.sum += touch(p.shared[:n])
	case read:
		from := p.pipe
		if Way(t.Rect.R1) == Socket {
			from = p.socket
		}
		return p.receive(from, p.private[:n])
	default:
		return fmt.Errorf("unknown task %d", t.Kind)
	}
	return nil
}

// receive reads until buf is full. A packet that does not fit what is left
// would be cut by the system: senders cut alike.
func (p *peer) receive(from io.Reader, buf []byte) error {
	for got := 0; got < len(buf); {
		n, err := from.Read(buf[got:min(got+packet, len(buf))])
		if err != nil {
			return errors.Join(fmt.Errorf("receive %d bytes: %w", len(buf), err))
		}
		p.sum += touch(buf[got : got+n])
		got += n
	}
	return nil
}
