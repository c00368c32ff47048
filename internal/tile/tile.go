// Package tile does MULTIPLY tasks: what a job record says, on a view of the
// job's data segment, by the kernels of package gemm. Workers use it, and a
// master whose job is too small to wait for others.
//
// Contract: a task writes its tile of C and nothing else, and reads nothing of
// C, so it can be done again. Records come from the master, which is trusted to
// mean well; what would lead outside the view is an error all the same.
package tile

import (
	"fmt"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/shmmat"
	"matmul/tiling"
)

// An Engine multiplies tiles of one element type. The zero value is ready for
// use, by one goroutine at a time; it keeps its scratch from task to task.
type Engine[T elem.Float] struct {
	Kernel *gemm.Kernel // of the last job
	Step   func()       // see gemm.Tile; may be nil
	ws     gemm.Workspace[T]
}

// Use prepares for a job.
func (e *Engine[T]) Use(j *shmmat.Job) (err error) {
	if isa := gemm.ISA(j.ISA); e.Kernel == nil || e.Kernel.ISA != isa {
		e.Kernel, err = gemm.Lookup(isa, elem.Of[T]())
	}
	return err
}

// Memory is what the tasks of a job see.
type Memory struct {
	Data *shmmat.View // of the job's data segment; nil if it has none
	Kept Keeper
}

// A Keeper has what its owners keep from job to job, by number.
type Keeper interface {
	Kept(number uint32) (k Kept, ok bool)
}

// Kept is a kept matrix as tasks see it: as an operand, and as a result.
type Kept struct{ Read, Write *shmmat.View }

// Of returns the memory that m lies in: region r of the data segment unless m
// is kept.
func (s *Memory) Of(m shmmat.Matrix, r shmmat.Region, write bool) ([]byte, error) {
	mem, err := s.bytes(m.Segment, r, write)
	if err != nil {
		return nil, err
	}
	if err := m.Check(int64(len(mem))); err != nil {
		return nil, fmt.Errorf("region %s: %w", r, err)
	}
	return mem, nil
}

// bytes returns the memory of what is kept under a number, or of region r of the
// data segment if that is 0.
func (s *Memory) bytes(segment uint32, r shmmat.Region, write bool) ([]byte, error) {
	if segment == 0 {
		if s.Data == nil {
			return nil, nil
		}
		return s.Data.Bytes(r), nil
	}
	k, ok := s.Kept.Kept(segment)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s lies in segment %d, which is not there", r, segment)
	case write:
		return k.Write.Bytes(shmmat.Kept), nil
	}
	return k.Read.Bytes(shmmat.Kept), nil
}

// Multiply does a MULTIPLY task of the job that was prepared for: one tile of
// C over the full k.
func (e *Engine[T]) Multiply(j *shmmat.Job, s *Memory, r tiling.Rect) error {
	if !r.Inside(j.M, j.N) || r.R0%int64(e.Kernel.MR) != 0 || r.C0%int64(e.Kernel.NR) != 0 {
		return fmt.Errorf("tile %v does not fit C", r)
	}
	c, err := s.Of(j.C, shmmat.C, true)
	if err != nil {
		return err
	}
	t := gemm.Tile[T]{
		I0: int(r.R0), I1: int(r.R1), J0: int(r.C0), J1: int(r.C1),
		C: shmmat.Elements[T](j.C, c)[r.R0*j.C.LD+r.C0:], LDC: int(j.C.LD),
		Step: e.Step,
	}
	if j.Beta != 0 {
		c0 := j.InitC()
		mem, err := s.Of(c0, shmmat.InitC, false)
		if err != nil {
			return err
		}
		t.C0 = shmmat.Elements[T](c0, mem)[r.R0*c0.LD+r.C0:]
		t.LDC0, t.Beta = int(c0.LD), T(j.Beta)
	}
	if t.A, err = operand(j.K, j.A, T(j.Alpha), s, j.PackedA, shmmat.PanelsA, e.Kernel.MR, shmmat.RowsA); err != nil {
		return err
	}
	if t.B, err = operand(j.K, j.B, T(1), s, j.PackedB, shmmat.PanelsB, e.Kernel.NR, shmmat.RowsB); err != nil {
		return err
	}
	if j.ABFT && j.PackedA {
		if err := Check(s, j.A, shmmat.SumsA, &t.A, false); err != nil {
			return err
		}
	}
	if j.ABFT && j.PackedB {
		if err := Check(s, j.B, shmmat.SumsB, &t.B, false); err != nil {
			return err
		}
	}
	b := gemm.Blocking{MC: int(j.MC), KC: int(j.KC), NC: int(j.NC)}
	switch {
	case !j.ABFT:
		gemm.Multiply(e.Kernel, b, &e.ws, t)
	case !gemm.Checked(e.Kernel, b, &e.ws, t):
		return &WrongError{A: gemm.Damaged(&t.A, t.I0, t.I1), B: gemm.Damaged(&t.B, t.J0, t.J1)}
	}
	return nil
}

// Pack packs a part of an operand, and makes its checksums, if it has room for some: see
// gemm.PackChecked.
func (e *Engine[T]) Pack(dst *gemm.Operand[T], l0, l1, p0, p1 int, src gemm.Source[T], scale T) {
	gemm.PackChecked(e.Kernel, &e.ws, dst, l0, l1, p0, p1, src, scale)
}

// A WrongError is returned for a tile that failed its check: its processor
// computed it wrongly, or memory changed. A and B tell whose panels do not agree
// with their checksums.
type WrongError struct{ A, B bool }

// Error says what is wrong.
func (e *WrongError) Error() string { return "the tile failed its check" }

// operand returns op(A) or op(B)ᵀ, m, as a tile reads it: from panels of the
// given width, or as it is stored in the region rows or kept, times scale.
func operand[T elem.Float](k int64, m shmmat.Matrix, scale T, s *Memory, packed bool, panels shmmat.Region, width int, rows shmmat.Region) (o gemm.Operand[T], err error) {
	if packed {
		o.Packed, err = Panels[T](s, m, panels, width, k, false)
		return o, err
	}
	o.Packed = gemm.Panels[T]{Lanes: int(m.Rows), Depth: int(k)}
	if k == 0 {
		return o, nil // under α = 0, too: it is not read
	}
	mem, err := s.Of(m, rows, false)
	if err != nil {
		return o, err
	}
	o.Scale, o.Stored = scale, Source[T](m, shmmat.Elements[T](m, mem), m.LD)
	return o, nil
}

// Source returns data, which holds a block of m as it is stored, ld elements
// from one stored vector to the next, as package gemm packs it: lanes are the
// rows of m.
func Source[T elem.Float](m shmmat.Matrix, data []T, ld int64) gemm.Source[T] {
	if m.Order == shmmat.ColMajor {
		return gemm.Source[T]{Data: data, LaneStride: 1, DepthStride: int(ld)}
	}
	return gemm.Source[T]{Data: data, LaneStride: int(ld), DepthStride: 1}
}

// Panels lays the panels of op(A) or op(B)ᵀ, m, which are depth long, over region
// r, or over what is kept under m's number.
func Panels[T elem.Float](s *Memory, m shmmat.Matrix, r shmmat.Region, width int, depth int64, write bool) (gemm.Panels[T], error) {
	lanes := m.Rows
	n := gemm.PanelLen(int(lanes), int(depth), width)
	mem, err := s.bytes(m.Segment, r, write)
	if err != nil {
		return gemm.Panels[T]{}, err
	}
	if int64(len(mem))/int64(elem.Of[T]().Size()) < int64(n) {
		return gemm.Panels[T]{}, fmt.Errorf("%s: region of %d bytes is too small for %d elements", r, len(mem), n)
	}
	return gemm.Panels[T]{Data: elem.Slice[T](mem)[:n], Width: width, Lanes: int(lanes), Depth: int(depth)}, nil
}

// Check lays the checksums of an operand's panels over region r, SumsA or SumsB, or over
// what is kept under m's number, where they follow the panels.
func Check[T elem.Float](s *Memory, m shmmat.Matrix, r shmmat.Region, o *gemm.Operand[T], write bool) error {
	mem, err := s.bytes(m.Segment, r, write)
	if err != nil {
		return err
	}
	if m.Segment != 0 {
		mem = mem[min(len(mem), len(o.Packed.Data)*elem.Of[T]().Size()):]
	}
	x := &o.Packed
	digests, sums := gemm.CheckBytes(x.Lanes, x.Depth, x.Width, elem.Of[T]())
	need := sums
	if r == shmmat.SumsA {
		need = digests
	}
	switch {
	case int64(len(mem)) < need:
		return fmt.Errorf("%s: region of %d bytes is too small for checksums of %d bytes", r, len(mem), need)
	case r == shmmat.SumsA:
		o.Digests = elem.Slice[uint64](mem[:need])
	default:
		o.Sums = elem.Slice[T](mem[:need])
	}
	return nil
}
