//go:build !race

// The race detector looks at memory before it is touched: there a fault is the
// detector's, which nobody can recover from.

package worker

import (
	"errors"
	"regexp"
	"testing"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/shmmat"
	"matmul/tiling"
)

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
			b.Publish(shmmat.Job{ID: 1, Data: 3, Type: elem.Float64, ISA: uint8(gemm.Generic), M: n, N: n, K: n, Alpha: 1, A: m, B: m.T(), C: m})
			line, mine := shmmat.NewLocalLine()
			w := &worker{line: mine, board: b, end: b.Worker(0, 1), data: map[uint32]views{3: {mult: view}}}
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
