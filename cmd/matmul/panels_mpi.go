//go:build mpi

package main

import (
	"context"
	"errors"
	"strings"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// A piece is what a rank has itself of an operand in a step, as its file stores it.
type piece struct {
	role   shmmat.Role
	file   *matfile.File
	matrix shmmat.Matrix // the operand
	rect   tiling.Rect   // of the operand
	to     buffer        // where the rank keeps it
}

// pieces returns what a rank has in a step: its part of the panels, if it is one
// of those who pass them on, and in the first step its block of C0.
func (p *part) pieces(rank, step int) (ps []piece) {
	r := p.block(rank)
	add := func(role shmmat.Role, f *matfile.File, m shmmat.Matrix, r tiling.Rect, to buffer) {
		if r.Rows() > 0 && r.Cols() > 0 {
			ps = append(ps, piece{role, f, m, r, to})
		}
	}
	if step == 0 && p.spec.Beta != 0 {
		add(shmmat.FileC0, p.in.c0, p.spec.C0.Matrix, r, p.initial())
	}
	k0 := int64(step) * p.plan.Width
	k1 := k0 + max(p.width(step), 0)
	row, col := p.plan.Place(rank)
	a, b := p.owners(step)
	if col == a {
		add(shmmat.FileA, p.in.a, p.spec.A.Matrix, tiling.Rect{R0: r.R0, R1: r.R1, C0: k0, C1: k1}, p.a[step%2])
	}
	if row == b {
		add(shmmat.FileB, p.in.b, p.spec.B.Matrix, tiling.Rect{R0: k0, R1: k1, C0: r.C0, C1: r.C1}, p.b[step%2])
	}
	return ps
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
	return c.to.mem[:c.rect.Rows()*c.rect.Cols()*int64(t.Size())]
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
