package worker

import (
	"errors"
	"os"
	"regexp"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
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

// TestAFaultSaysWhereItWas: a task that touches what its view does not allow
// ends in an answer that names address and region.
func TestAFaultSaysWhereItWas(t *testing.T) {
	const n = 24
	size := int64(n * n * 8)
	for _, kind := range shmmat.Shared() {
		t.Run(kind.String(), func(t *testing.T) {
			rights := shmmat.MultiplyRights()
			rights[shmmat.C] = shmmat.ReadOnly
			_, view := segment(t, kind, shmmat.Lengths{shmmat.RowsA: size, shmmat.RowsB: size, shmmat.C: size}, rights)
			_, b := control(t, shmmat.Heap)
			m := shmmat.Matrix{Rows: n, Cols: n, LD: n, Type: elem.Float64}
			b.Publish(shmmat.Job{ID: 1, Type: elem.Float64, ISA: uint8(gemm.Generic), M: n, N: n, K: n, Alpha: 1, A: m, B: m.T(), C: m})
			line, mine := shmmat.NewLocalLine()
			w := &worker{line: mine, board: b, end: b.Worker(0, 1), mult: view}
			master := b.Master(0, 1)
			master.Send(shmmat.Task{Job: 1, Kind: tiling.Multiply, ID: 7, Rect: tiling.Rect{R1: n, C1: n}})
			master.Send(shmmat.Task{Kind: shmmat.Quit})
			if err := w.loop(); err != nil {
				t.Fatal(err)
			}
			if a, ok := master.Take(); !ok || a.ID != 7 || a.Status != shmmat.Fault {
				t.Errorf("got the answer %+v, %v", a, ok)
			}
			said, _, err := line.Receive()
			if want := regexp.MustCompile(`^multiply: memory fault at 0x[0-9a-f]+ \(C \+ 0 bytes\)$`); err != nil || !want.MatchString(said.Text) {
				t.Errorf("got %q, %v; want %v", said.Text, err, want)
			}
		})
	}
}

// TestAFaultBetweenTasksEndsTheWorker: where no answer is possible the worker's
// last words say it.
func TestAFaultBetweenTasksEndsTheWorker(t *testing.T) {
	s, b := control(t, shmmat.Memfd)
	rights := shmmat.Rights{}
	rights[shmmat.Control] = shmmat.ReadOnly
	v, err := s.Map(rights)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	own, err := shmmat.OpenBoard(v.Bytes(shmmat.Control), 1)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{board: own, control: v, end: own.Worker(0, 1)}
	b.Master(0, 1).Send(shmmat.Task{Kind: shmmat.Nop})
	err = w.loop()
	var p *problem
	if !errors.As(err, &p) || !regexp.MustCompile(`^between tasks: memory fault at 0x[0-9a-f]+ \(control \+ [0-9]+ bytes\)$`).MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
}
