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

// Memory is what the tasks of a pool see.
type Memory struct {
	Data *shmmat.View // of the data segment
	Kept Keeper
}

// A Keeper has the matrices that their owners keep, by number.
type Keeper interface {
	Kept(number uint32) (k Kept, ok bool)
}

// Kept is a kept matrix as tasks see it: as an operand, and as a result.
type Kept struct{ Read, Write *shmmat.View }

// of returns the memory that m lies in: region r of the data segment unless m
// is kept.
func (s *Memory) of(m shmmat.Matrix, r shmmat.Region) (mem []byte, err error) {
	write := r == shmmat.C
	if m.Segment == 0 {
		mem = s.Data.Bytes(r)
	} else if k, ok := s.Kept.Kept(m.Segment); !ok {
		return nil, fmt.Errorf("%s lies in segment %d, which is not there", r, m.Segment)
	} else if write {
		mem = k.Write.Bytes(shmmat.Kept)
	} else {
		mem = k.Read.Bytes(shmmat.Kept)
	}
	if err := m.Check(int64(len(mem))); err != nil {
		return nil, fmt.Errorf("region %s: %w", r, err)
	}
	return mem, nil
}

// Multiply does a MULTIPLY task of the job that was prepared for: one tile of
// C over the full k.
func (e *Engine[T]) Multiply(j *shmmat.Job, s *Memory, r tiling.Rect) error {
	if !r.Inside(j.M, j.N) || r.R0%int64(e.Kernel.MR) != 0 || r.C0%int64(e.Kernel.NR) != 0 {
		return fmt.Errorf("tile %v does not fit C", r)
	}
	c, err := s.of(j.C, shmmat.C)
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
		mem, err := s.of(c0, shmmat.InitC)
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
	gemm.Multiply(e.Kernel, gemm.Blocking{MC: int(j.MC), KC: int(j.KC), NC: int(j.NC)}, &e.ws, t)
	return nil
}

// operand returns op(A) or op(B)ᵀ, m, as a tile reads it: from panels of the
// given width, or as it is stored in the region rows or kept, times scale.
func operand[T elem.Float](k int64, m shmmat.Matrix, scale T, s *Memory, packed bool, panels shmmat.Region, width int, rows shmmat.Region) (o gemm.Operand[T], err error) {
	if packed {
		o.Packed, err = Panels[T](s.Data, panels, width, m.Rows, k)
		return o, err
	}
	o.Packed = gemm.Panels[T]{Lanes: int(m.Rows), Depth: int(k)}
	if k == 0 {
		return o, nil // under α = 0, too: it is not read
	}
	mem, err := s.of(m, rows)
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

// Panels lays the panels of an operand over their region.
func Panels[T elem.Float](v *shmmat.View, r shmmat.Region, width int, lanes, depth int64) (gemm.Panels[T], error) {
	n := gemm.PanelLen(int(lanes), int(depth), width)
	mem := v.Bytes(r)
	if int64(len(mem))/int64(elem.Of[T]().Size()) < int64(n) {
		return gemm.Panels[T]{}, fmt.Errorf("%s: region of %d bytes is too small for %d elements", r, len(mem), n)
	}
	return gemm.Panels[T]{Data: elem.Slice[T](mem)[:n], Width: width, Lanes: int(lanes), Depth: int(depth)}, nil
}
