//go:build mpi

package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/mpi"
	"matmul/internal/summa"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// A piece is a part of an operand, as its file stores it.
type piece struct {
	role   shmmat.Role
	file   *matfile.File
	matrix shmmat.Matrix // the operand
	rect   tiling.Rect   // of the operand
	to     buffer        // where the rank keeps it,
	at     int64         // from which element on
}

// A panel is a rank's panel of A or of B in a step, of which each rank of a row or a
// column of the grid reads a share.
type panel struct {
	piece
	among *mpi.Comm // those ranks
	size  int       // their number
	rank  int       // of the one whose panel this is, among them
}

// rects returns what a rank multiplies in a step: its panels of A and of B.
func (p *part) rects(rank, step int) (a, b tiling.Rect) {
	r := p.block(rank)
	k0 := int64(step) * p.plan.Width
	k1 := k0 + max(p.width(step), 0)
	return tiling.Rect{R0: r.R0, R1: r.R1, C0: k0, C1: k1}, tiling.Rect{R0: k0, R1: k1, C0: r.C0, C1: r.C1}
}

// panels returns the panels of a rank in a step that it does not read alone.
func (p *part) panels(rank, step int) []panel {
	if p.direct {
		return nil
	}
	a, b := p.rects(rank, step)
	row, col := p.plan.Place(rank)
	return []panel{
		{piece{role: shmmat.FileA, file: p.in.a, matrix: p.spec.A.Matrix, to: p.a[step%2], rect: a}, p.row, p.plan.Q, col},
		{piece{role: shmmat.FileB, file: p.in.b, matrix: p.spec.B.Matrix, to: p.b[step%2], rect: b}, p.col, p.plan.P, row},
	}
}

// vectors returns the rows or columns that a piece is stored in, and the elements of
// each.
func (c piece) vectors() (n, length int64) {
	if c.matrix.Order == shmmat.ColMajor {
		return c.rect.Cols(), c.rect.Rows()
	}
	return c.rect.Rows(), c.rect.Cols()
}

// share returns what the i-th of the ranks that share a panel reads of it: whole
// vectors, so that it lies in one place there.
func (c panel) share(i int) piece {
	s := c.piece
	n, length := c.vectors()
	begin, end := summa.Split(n, c.size, i)
	s.at = begin * length
	if c.matrix.Order == shmmat.ColMajor {
		s.rect.C0, s.rect.C1 = c.rect.C0+begin, c.rect.C0+end
	} else {
		s.rect.R0, s.rect.R1 = c.rect.R0+begin, c.rect.R0+end
	}
	return s
}

// gather begins to bring all shares of a panel to all who need them; it returns nil
// if there is nothing to bring.
func (c panel) gather(t elem.Type) (*mpi.Request, error) {
	n, length := c.vectors()
	if c.size == 1 || n*length == 0 {
		return nil, nil
	}
	counts := make([]int, c.size)
	for i := range counts {
		begin, end := summa.Split(n, c.size, i)
		counts[i] = int(end - begin)
	}
	return c.among.Allgather(c.mem(t), length*int64(t.Size()), counts)
}

// pieces returns what a rank reads in a step: its shares of the panels, and in the
// first step its block of C0.
func (p *part) pieces(rank, step int) (ps []piece) {
	if step == 0 && p.spec.Beta != 0 {
		ps = append(ps, piece{role: shmmat.FileC0, file: p.in.c0, matrix: p.spec.C0.Matrix, rect: p.block(rank), to: p.initial()})
	}
	for _, c := range p.panels(rank, step) {
		ps = append(ps, c.share(c.rank))
	}
	return slices.DeleteFunc(ps, func(c piece) bool { return c.rect.Rows() == 0 || c.rect.Cols() == 0 })
}

// initial returns where a block of C0 goes as it is stored: where C before the
// first step is, or, if it has to be transposed for that, where C after it will be.
func (p *part) initial() buffer {
	if p.spec.C0.Order == shmmat.ColMajor {
		return p.c[0]
	}
	return p.c[1]
}

// mem returns the memory of a piece at the rank that has it.
func (c piece) mem(t elem.Type) []byte {
	size := int64(t.Size())
	return c.to.mem[c.at*size:][:c.rect.Rows()*c.rect.Cols()*size]
}

// read reads elements of a piece, in the order in which they are stored and
// without gaps, from the given one on.
func (c piece) read(ctx context.Context, t elem.Type, from int64, dst []byte) error {
	var err error
	if t == elem.Float32 {
		err = readStored(ctx, c, from, elem.Slice[float32](dst))
	} else {
		err = readStored(ctx, c, from, elem.Slice[float64](dst))
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	status := shmmat.Failed
	if input := (*matfile.Error)(nil); errors.As(err, &input) {
		status = shmmat.BadInput
	}
	return &master.FileError{Role: c.role, Path: c.file.Path, Status: status, Text: strings.TrimPrefix(err.Error(), c.file.Path+": ")}
}

func readStored[T elem.Float](ctx context.Context, c piece, from int64, dst []T) error {
	y0, x0, length := c.rect.R0, c.rect.C0, c.rect.Cols()
	if c.matrix.Order == shmmat.ColMajor {
		y0, x0, length = c.rect.C0, c.rect.R0, c.rect.Rows()
	}
	var buf []byte
	if c.file.Elem != elem.Of[T]() || c.file.BigEndian {
		buf = make([]byte, readBuffer)
	}
	if length == c.matrix.LD { // whole vectors
		return matfile.ReadElements(c.file, dst, y0*c.matrix.LD+from, buf)
	}
	for len(dst) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		y, x := from/length, from%length
		n := min(length-x, int64(len(dst)))
		if err := matfile.ReadElements(c.file, dst[:n], (y0+y)*c.matrix.LD+x0+x, buf); err != nil {
			return err
		}
		dst, from = dst[n:], from+n
	}
	return nil
}

// readBuffer is the scratch for elements that need conversion.
const readBuffer = 256 << 10

// read reads the pieces of this rank.
func (p *part) read(ctx context.Context, step int) error {
	for _, c := range p.pieces(p.world.Rank, step) {
		if err := c.read(ctx, p.spec.Type, 0, c.mem(p.spec.Type)); err != nil {
			return err
		}
	}
	return nil
}

// turn brings a block of C0 that is stored by columns to where C before the first
// step is, row-major.
func (p *part) turn(r tiling.Rect) {
	if p.spec.Beta == 0 || p.spec.C0.Order == shmmat.RowMajor {
		return
	}
	if p.spec.Type == elem.Float32 {
		transpose(elem.Slice[float32](p.c[1].mem), elem.Slice[float32](p.c[0].mem), r.Rows(), r.Cols())
	} else {
		transpose(elem.Slice[float64](p.c[1].mem), elem.Slice[float64](p.c[0].mem), r.Rows(), r.Cols())
	}
}

// transpose writes the rows × cols elements of src, which lie column by column,
// row by row.
func transpose[T elem.Float](dst, src []T, rows, cols int64) {
	const side = 32 // of a square that the caches hold
	for i0 := int64(0); i0 < rows; i0 += side {
		for j0 := int64(0); j0 < cols; j0 += side {
			for i := i0; i < min(i0+side, rows); i++ {
				for j := j0; j < min(j0+side, cols); j++ {
					dst[i*cols+j] = src[j*rows+i]
				}
			}
		}
	}
}
