package worker

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"

	"matmul/internal/elem"
	"matmul/internal/failpoint"
	"matmul/internal/gemm"
	"matmul/internal/tile"
	"matmul/shmmat"
	"matmul/tiling"
)

// arith is what a worker has for one element type: its kernel and its private
// buffers.
type arith[T elem.Float] struct {
	tile.Engine[T]
	w     *worker
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
	if a.block == nil {
		a.block, a.Step = make([]T, blockElems), w.step
	}
	return a.Use(&w.job)
}

// packPanels does a PACK task: lanes × depths of op(A) or op(B)ᵀ from where
// they are stored into the panels.
func (a *arith[T]) packPanels(role shmmat.Role, m shmmat.Matrix, lanes int64, panels shmmat.Region, width int, scale T, r tiling.Rect) error {
	if !r.Inside(lanes, a.w.job.K) {
		return fmt.Errorf("block %v lies outside %s", r, role)
	}
	dst, err := tile.Panels[T](a.w.pack, panels, width, lanes, a.w.job.K)
	if err != nil {
		return err
	}
	return a.blocks(role, m, int64(width), r, func(s tiling.Rect, data []T, ld int64) error {
		gemm.Pack(a.Kernel, dst, int(s.R0), int(s.R1), int(s.C0), int(s.C1), tile.Source(m, data, ld), scale)
		return nil
	})
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
				err = failpoint.Hit("worker.read")
			}
			if err == nil {
				err = use(s, data, ld)
			}
			a.w.step()
			if err != nil {
				return &problem{status: inputStatus(err), role: role, err: err}
			}
		}
	}
	return nil
}

// inputStatus says whether it is an input's fault that it could not be read, or
// the system's.
func inputStatus(err error) shmmat.Status {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return shmmat.Failed
	}
	return shmmat.BadInput
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
		return nameless(err)
	}
	err := elem.Decode(dst, raw, m.Type, m.BigEndian)
	var inexact *elem.InexactError
	if errors.As(err, &inexact) {
		return fmt.Errorf("element %d: %w", first+int64(inexact.Index), err)
	}
	return err
}

// nameless returns an error of package os without the file's name: a descriptor
// that was received has none, and the master adds the one that the user gave.
func nameless(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Op, p.Err)
	}
	return err
}

// castagnoli is the polynomial of the sums that STORE returns.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// store does a STORE task: full rows of C to the output file. It returns the
// CRC-32C of what it wrote, if the job wants it.
func (a *arith[T]) store(r tiling.Rect) (sum int64, err error) {
	j := &a.w.job
	if !r.Inside(j.M, j.N) || r.C0 != 0 || r.C1 != j.N || j.C.LD != j.N {
		return 0, fmt.Errorf("rows %v cannot be stored", r)
	}
	f, err := a.w.file(shmmat.FileOut)
	if err != nil {
		return 0, err
	}
	crc := uint32(0)
	c := shmmat.Elements[T](j.C, a.w.mult.Bytes(shmmat.C))[r.R0*j.N : r.R1*j.N]
	off := j.Out.Offset + r.R0*j.N*int64(elem.Of[T]().Size())
	for len(c) > 0 {
		n := min(len(c), blockElems)
		out := elem.Bytes(a.canonical(c[:n]))
		if j.Sums {
			crc = crc32.Update(crc, castagnoli, out)
		}
		err := failpoint.Hit("worker.write")
		if err == nil {
			_, err = f.WriteAt(out, off)
		}
		if err != nil {
			status := shmmat.Failed
			if noSpace(err) {
				status = shmmat.NoSpace
			}
			return 0, &problem{status: status, role: shmmat.FileOut, err: nameless(err)}
		}
		c, off = c[n:], off+int64(len(out))
		a.w.step()
	}
	return int64(crc), nil
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
