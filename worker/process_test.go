package worker

import (
	"os"
	"testing"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// control makes the control segment of a pool with one worker.
func control(t *testing.T, kind shmmat.Kind) (*shmmat.Segment, *shmmat.Board) {
	t.Helper()
	s, v := segment(t, kind, shmmat.Lengths{shmmat.Control: shmmat.ControlSize(1)}, shmmat.All(true))
	b, err := shmmat.OpenBoard(v.Bytes(shmmat.Control), 1)
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func segment(t *testing.T, kind shmmat.Kind, length shmmat.Lengths, rights shmmat.Rights) (*shmmat.Segment, *shmmat.View) {
	t.Helper()
	l, err := shmmat.NewLayout(length)
	if err != nil {
		t.Fatal(err)
	}
	s, err := shmmat.Create(kind, l, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	v, err := s.Map(rights)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return s, v
}

// TestAWorkerEndsWithItsLine: should the kernel not tell a worker that its
// master died, the end of the line does.
func TestAWorkerEndsWithItsLine(t *testing.T) {
	mine, theirs, err := sys.SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(theirs)
	cmd.SysProcAttr.Pdeathsig = 0
	cmd.Env = append(cmd.Environ(), "GORACE=atexit_sleep_ms=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	line := shmmat.NewSocketLine(mine)
	if m, _, err := line.Receive(); err != nil || m.Verb != shmmat.Hello {
		t.Fatalf("got %v, %v", m, err)
	}
	s, b := control(t, shmmat.Memfd)
	h, f := s.Handle()
	welcome := shmmat.Message{Verb: shmmat.Welcome, Version: shmmat.ProtocolVersion, Epoch: 1, Workers: 1, Handle: h}
	if err := line.Send(welcome, f); err != nil {
		t.Fatal(err)
	}
	m := b.Master(0, 1)
	m.Send(shmmat.Task{Kind: shmmat.Nop})
	for begin := time.Now(); !m.Waiting(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("the worker does not answer")
		}
	}
	begin := time.Now()
	line.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it ended after %v, want a second at most", took)
		}
	case <-time.After(time.Minute):
		cmd.Process.Kill()
		t.Error("it goes on")
	}
}
