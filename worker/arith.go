package worker

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/shmmat"
	"matmul/tiling"
)

// arith is what a worker has for one element type: its kernel and its private
// buffers.
type arith[T elem.Float] struct {
	w     *worker
	k     *gemm.Kernel
	ws    gemm.Workspace[T]
	block []T // elements on their way from a file to the panels, or to a file
}

// blockElems is the size of block: what is read at once lies in the L2 cache
// when it is packed.
const blockElems = 64 << 10

// use prepares for the job in w.
func (a *arith[T]) use(w *worker) (err error) {
	a.w = w
	if w.job.Data != w.data {
		return fmt.Errorf("job %d lives in data segment %d, this worker sees %d", w.job.ID, w.job.Data, w.data)
	}
	if a.k == nil || a.k.ISA != gemm.ISA(w.job.ISA) {
		a.k, err = gemm.Lookup(gemm.ISA(w.job.ISA), elem.Of[T]())
	}
	if a.block == nil {
		a.block = make([]T, blockElems)
	}
	return err
}

// packPanels does a PACK task: lanes × depths of op(A) or op(B)ᵀ from where
// they are stored into the panels.
func (a *arith[T]) packPanels(role shmmat.Role, m shmmat.Matrix, lanes int64, panels shmmat.Region, width int, scale T, r tiling.Rect) error {
	if !r.Inside(lanes, a.w.job.K) {
		return fmt.Errorf("block %v lies outside %s", r, role)
	}
	dst, err := panelsOf[T](a.w.pack, panels, width, lanes, a.w.job.K)
	if err != nil {
		return err
	}
	return a.blocks(role, m, int64(width), r, func(s tiling.Rect, data []T, ld int64) error {
		src := gemm.Source[T]{Data: data, LaneStride: int(ld), DepthStride: 1}
		if m.Order == shmmat.ColMajor {
			src.LaneStride, src.DepthStride = 1, int(ld)
		}
		gemm.Pack(a.k, dst, int(s.R0), int(s.R1), int(s.C0), int(s.C1), src, scale)
		return nil
	})
}

// panelsOf lays the panels of an operand over their region.
func panelsOf[T elem.Float](v *shmmat.View, r shmmat.Region, width int, lanes, depth int64) (gemm.Panels[T], error) {
	n := gemm.PanelLen(int(lanes), int(depth), width)
	mem := v.Bytes(r)
	if int64(len(mem))/int64(elem.Of[T]().Size()) < int64(n) {
		return gemm.Panels[T]{}, fmt.Errorf("%s: region of %d bytes is too small for %d elements", r, len(mem), n)
	}
	return gemm.Panels[T]{Data: elem.Slice[T](mem)[:n], Width: width, Lanes: int(lanes), Depth: int(depth)}, nil
}

// loadC0 does a LOAD task: rows of C₀ into their region, row-major.
func (a *arith[T]) loadC0(r tiling.Rect) error {
	j := &a.w.job
	if !r.Inside(j.M, j.N) {
		return fmt.Errorf("rows %v lie outside C0", r)
	}
	dst := elem.Slice[T](a.w.pack.Bytes(shmmat.InitC))
	return a.blocks(shmmat.FileC0, j.C0, 1, r, func(s tiling.Rect, data []T, ld int64) error {
		for i := s.R0; i < s.R1; i++ {
			row := dst[i*j.N+s.C0 : i*j.N+s.C1]
			if j.C0.Order == shmmat.RowMajor {
				copy(row, data[(i-s.R0)*ld:])
				continue
			}
			for q := range row {
				row[q] = data[int64(q)*ld+i-s.R0]
			}
		}
		return nil
	})
}

// multiply does a MULTIPLY task: one tile of C over the full k.
func (a *arith[T]) multiply(r tiling.Rect) error {
	j, v := &a.w.job, a.w.mult
	if !r.Inside(j.M, j.N) || r.R0%int64(a.k.MR) != 0 || r.C0%int64(a.k.NR) != 0 {
		return fmt.Errorf("tile %v does not fit C", r)
	}
	if err := j.C.Check(int64(len(v.Bytes(shmmat.C)))); err != nil {
		return fmt.Errorf("region C: %w", err)
	}
	opA, err := a.operand(j.PackedA, shmmat.PanelsA, a.k.MR, shmmat.RowsA, j.A, T(j.Alpha))
	if err != nil {
		return err
	}
	opB, err := a.operand(j.PackedB, shmmat.PanelsB, a.k.NR, shmmat.RowsB, j.B, 1)
	if err != nil {
		return err
	}
	t := gemm.Tile[T]{
		A: opA, B: opB, I0: int(r.R0), I1: int(r.R1), J0: int(r.C0), J1: int(r.C1),
		C: shmmat.Elements[T](j.C, v.Bytes(shmmat.C))[r.R0*j.C.LD+r.C0:], LDC: int(j.C.LD),
	}
	if j.Beta != 0 {
		c0 := j.InitC()
		t.C0 = shmmat.Elements[T](c0, v.Bytes(shmmat.InitC))[r.R0*c0.LD+r.C0:]
		t.LDC0, t.Beta = int(c0.LD), T(j.Beta)
	}
	b := gemm.Blocking{MC: int(j.MC), KC: int(j.KC), NC: int(j.NC)}
	gemm.Multiply(a.k, b, &a.ws, t)
	return nil
}

// operand returns op(A) or op(B)ᵀ as MULTIPLY reads it: from its panels, or as
// m says from the region that it is stored in.
func (a *arith[T]) operand(packed bool, panels shmmat.Region, width int, rows shmmat.Region, m shmmat.Matrix, scale T) (o gemm.Operand[T], err error) {
	if packed {
		o.Packed, err = panelsOf[T](a.w.mult, panels, width, m.Rows, a.w.job.K)
		return o, err
	}
	o.Packed = gemm.Panels[T]{Lanes: int(m.Rows), Depth: int(a.w.job.K)}
	if a.w.job.K == 0 {
		return o, nil // under α = 0, too: it is not read
	}
	mem := a.w.mult.Bytes(rows)
	if err := m.Check(int64(len(mem))); err != nil {
		return o, fmt.Errorf("region %s: %w", rows, err)
	}
	o.Scale, o.Stored = scale, gemm.Source[T]{Data: shmmat.Elements[T](m, mem), LaneStride: int(m.LD), DepthStride: 1}
	if m.Order == shmmat.ColMajor {
		o.Stored.LaneStride, o.Stored.DepthStride = 1, int(m.LD)
	}
	return o, nil
}

// blocks walks over a rectangle of a matrix in a file in pieces of at most
// blockElems elements, rows in multiples of align, and calls use with each:
// data holds the piece in the order in which m is stored, ld elements from one
// stored vector to the next.
func (a *arith[T]) blocks(role shmmat.Role, m shmmat.Matrix, align int64, r tiling.Rect, use func(s tiling.Rect, data []T, ld int64) error) error {
	f, err := a.w.file(role)
	if err != nil {
		return err
	}
	rows, cols := pieces(m.Order, align, r)
	for i := r.R0; i < r.R1; i += rows {
		for j := r.C0; j < r.C1; j += cols {
			s := tiling.Rect{R0: i, R1: min(i+rows, r.R1), C0: j, C1: min(j+cols, r.C1)}
			data, ld, err := a.read(f, m, s)
			if err == nil {
				err = use(s, data, ld)
			}
			if err != nil {
				return &problem{status: shmmat.BadInput, role: role, err: err}
			}
		}
	}
	return nil
}

// pieces returns the rows and columns of a piece: as long as possible in the
// stored direction, where bytes are contiguous.
func pieces(o shmmat.Order, align int64, r tiling.Rect) (rows, cols int64) {
	if o == shmmat.RowMajor {
		cols = min(r.Cols(), blockElems/align)
		return max(blockElems/cols/align, 1) * align, cols
	}
	rows = min((r.Rows()+align-1)/align, blockElems/align) * align
	return rows, max(blockElems/rows, 1)
}

// read reads the elements of s, decoded, in stored order.
func (a *arith[T]) read(f *os.File, m shmmat.Matrix, s tiling.Rect) (data []T, ld int64, err error) {
	y0, y1, x0, x1 := s.R0, s.R1, s.C0, s.C1
	if m.Order == shmmat.ColMajor {
		y0, y1, x0, x1 = s.C0, s.C1, s.R0, s.R1
	}
	ld = x1 - x0
	data = a.block[:(y1-y0)*ld]
	if ld == m.LD {
		return data, ld, a.readRun(data, f, m, y0*m.LD)
	}
	for y := y0; y < y1; y++ {
		if err := a.readRun(data[(y-y0)*ld:][:ld], f, m, y*m.LD+x0); err != nil {
			return nil, 0, err
		}
	}
	return data, ld, nil
}

// readRun reads len(dst) elements that are contiguous in the file, from the
// element with index first on.
func (a *arith[T]) readRun(dst []T, f *os.File, m shmmat.Matrix, first int64) error {
	size := int64(m.Type.Size())
	raw := elem.Bytes(dst) // read in place where the type is right
	if m.Type != elem.Of[T]() {
		if n := blockElems * size; int64(len(a.w.toRead)) < n {
			a.w.toRead = make([]byte, n)
		}
		raw = a.w.toRead[:int64(len(dst))*size]
	}
	if _, err := f.ReadAt(raw, m.Offset+first*size); err == io.EOF {
		return errors.New("the file was truncated while it was read")
	} else if err != nil {
		return err
	}
	err := elem.Decode(dst, raw, m.Type, m.BigEndian)
	var inexact *elem.InexactError
	if errors.As(err, &inexact) {
		return fmt.Errorf("element %d: %w", first+int64(inexact.Index), err)
	}
	return err
}

// store does a STORE task: full rows of C to the output file.
func (a *arith[T]) store(r tiling.Rect) error {
	j := &a.w.job
	if !r.Inside(j.M, j.N) || r.C0 != 0 || r.C1 != j.N || j.C.LD != j.N {
		return fmt.Errorf("rows %v cannot be stored", r)
	}
	f, err := a.w.file(shmmat.FileOut)
	if err != nil {
		return err
	}
	c := shmmat.Elements[T](j.C, a.w.mult.Bytes(shmmat.C))[r.R0*j.N : r.R1*j.N]
	off := j.Out.Offset + r.R0*j.N*int64(elem.Of[T]().Size())
	for len(c) > 0 {
		n := min(len(c), blockElems)
		out := a.canonical(c[:n])
		if _, err := f.WriteAt(elem.Bytes(out), off); err != nil {
			status := shmmat.Failed
			if noSpace(err) {
				status = shmmat.NoSpace
			}
			return &problem{status: status, role: shmmat.FileOut, err: err}
		}
		c, off = c[n:], off+int64(len(elem.Bytes(out)))
	}
	return nil
}

// canonical returns c with every NaN replaced by the one that files hold: c
// itself where there is none.
func (a *arith[T]) canonical(c []T) []T {
	for i, x := range c {
		if x != x {
			copy(a.block, c)
			for q := i; q < len(c); q++ {
				if c[q] != c[q] {
					a.block[q] = T(math.Float64frombits(0x7ff8 << 48))
				}
			}
			return a.block[:len(c)]
		}
	}
	return c
}
