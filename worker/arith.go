package worker

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
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
	var ok bool
	if w.views, ok = w.data[w.job.Data]; !ok && w.job.Data != 0 {
		return fmt.Errorf("job %d lives in data segment %d, which is not there", w.job.ID, w.job.Data)
	}
	if a.block == nil {
		a.block, a.Step = make([]T, blockElems), w.step
	}
	return a.Use(&w.job)
}

// packPanels does a PACK task: lanes × depths of m, which is op(A) or op(B)ᵀ,
// from the file into the panels, and their checksums into sums, if the job wants
// them. It returns the CRC-32C of what the panels then hold of them, if the job
// wants it.
func (a *arith[T]) packPanels(role shmmat.Role, m shmmat.Matrix, panels, sums shmmat.Region, width int, scale T, r tiling.Rect) (sum int64, err error) {
	if !r.Inside(m.Rows, a.w.job.K) {
		return 0, fmt.Errorf("block %v lies outside %s", r, role)
	}
	var o gemm.Operand[T]
	dst := &o.Packed
	if *dst, err = tile.Panels[T](a.w.memory(a.w.pack), m, panels, width, a.w.job.K, true); err != nil {
		return 0, err
	}
	group := int64(width)
	if a.w.job.ABFT {
		if err = tile.Check(a.w.memory(a.w.pack), m, sums, &o, true); err != nil {
			return 0, err
		}
		if o.Sums != nil {
			group = int64(gemm.SumLanes(width))
		}
	}
	err = a.blocks(role, m, int64(width), group, r, func(s tiling.Rect, data []T, ld int64) error {
		l0, l1, p0, p1, src := int(s.R0), int(s.R1), int(s.C0), int(s.C1), tile.Source(m, data, ld)
		a.Pack(&o, l0, l1, p0, p1, src, scale)
		failpoint.Flip("worker.packed", elem.Bytes(dst.Data[l0*dst.Depth+p0*width:][:width]))
		return nil
	})
	if err == nil && a.w.job.PackSums {
		sum = int64(panelSum(*dst, r))
	}
	return sum, err
}

// panelSum returns the CRC-32C of a block of panels, one micro-panel after the
// other, with what pads the last one.
func panelSum[T elem.Float](x gemm.Panels[T], r tiling.Rect) (sum uint32) {
	w := int64(x.Width)
	for l := r.R0; l < r.R1; l += w {
		panel := x.Data[l*int64(x.Depth):]
		sum = crc32.Update(sum, castagnoli, elem.Bytes(panel[r.C0*w:r.C1*w]))
	}
	return sum
}

// loadC0 does a LOAD task: rows of C₀ into their region, row-major.
func (a *arith[T]) loadC0(r tiling.Rect) error {
	j := &a.w.job
	if !r.Inside(j.M, j.N) {
		return fmt.Errorf("rows %v lie outside C0", r)
	}
	to := j.InitC()
	mem, err := a.w.memory(a.w.pack).Of(to, shmmat.InitC, true)
	if err != nil {
		return err
	}
	dst := shmmat.Elements[T](to, mem)
	return a.blocks(shmmat.FileC0, j.C0, 1, 1, r, func(s tiling.Rect, data []T, ld int64) error {
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
// stored vector to the next. Rows go in groups, a multiple of align, whose pieces of
// the same columns follow one another.
func (a *arith[T]) blocks(role shmmat.Role, m shmmat.Matrix, align, group int64, r tiling.Rect, use func(s tiling.Rect, data []T, ld int64) error) error {
	f, err := a.w.file(role)
	if err != nil {
		return err
	}
	piece := func(s tiling.Rect) error {
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
		return nil
	}
	rows, cols := pieces(m.Order, align, group, r)
	for g := r.R0; g < r.R1; g += max(rows, group) {
		end := min(g+max(rows, group), r.R1)
		for j := r.C0; j < r.C1; j += cols {
			for i := g; i < end; i += rows {
				if err := piece(tiling.Rect{R0: i, R1: min(i+rows, end), C0: j, C1: min(j+cols, r.C1)}); err != nil {
					return err
				}
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
// stored direction, where bytes are contiguous. Rows are a part of a group or a
// multiple of it. Of columns there is a multiple of those that share digests, or, if they
// are stored vectors, of eight, which are summed together, where there are as many.
func pieces(o shmmat.Order, align, group int64, r tiling.Rect) (rows, cols int64) {
	if o == shmmat.RowMajor {
		cols = min(r.Cols(), blockElems/align/gemm.SumDepths*gemm.SumDepths)
		rows = max(blockElems/cols/align, 1) * align
		return max(rows/group*group, min(rows, group)), cols
	}
	rows = min((r.Rows()+group-1)/group, max(blockElems/group, 1)) * group
	cols = max(blockElems/min(rows, r.Rows()), 1)
	if cols > 8 {
		cols -= cols % 8
	}
	return rows, cols
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
	if !r.Inside(j.M, j.N) || r.C0 != 0 || r.C1 != j.N || j.C.LD != j.N || j.Out.LD < j.N {
		return 0, fmt.Errorf("rows %v cannot be stored", r)
	}
	mem, err := a.w.memory(a.w.mult).Of(j.C, shmmat.C, false)
	if err != nil {
		return 0, err
	}
	f, err := a.w.file(shmmat.FileOut)
	if err != nil {
		return 0, err
	}
	c := shmmat.Elements[T](j.C, mem)[r.R0*j.N : r.R1*j.N]
	run := j.N // elements that lie together in the file
	if j.Out.LD == j.N {
		run *= r.Rows()
	}
	crc := uint32(0)
	for i := r.R0; len(c) > 0; i, c = i+1, c[run:] {
		off := j.Out.Offset + i*j.Out.LD*int64(elem.Of[T]().Size())
		if crc, err = a.write(f, c[:run], off, crc); err != nil {
			return 0, err
		}
	}
	return int64(crc), nil
}

// write writes c at an offset of the output file. It continues the CRC-32C of
// what was written, if the job wants it.
func (a *arith[T]) write(f *os.File, c []T, off int64, crc uint32) (uint32, error) {
	for len(c) > 0 {
		n := min(len(c), blockElems)
		out := elem.Bytes(a.canonical(c[:n]))
		if a.w.job.Sums {
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
	return crc, nil
}

// canonical returns c with every NaN replaced by the one that files hold: c
// itself where there is none.
func (a *arith[T]) canonical(c []T) []T {
	if at := elem.FirstNaN(c); at < len(c) {
		copy(a.block, c)
		c = a.block[:len(c)]
		elem.Canonical(c[at:])
	}
	return c
}
