package ipc

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"matmul/internal/sys"
	"matmul/shmmat"
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
