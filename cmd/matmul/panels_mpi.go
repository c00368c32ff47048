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

// read reads the panels of a step that this rank has to pass on, as they are
// stored, and before the first step its block of C0.
func (p *part) read(ctx context.Context, r tiling.Rect, step int) error {
	if p.spec.Type == elem.Float32 {
		return readStep[float32](ctx, p, r, step)
	}
	return readStep[float64](ctx, p, r, step)
}

func readStep[T elem.Float](ctx context.Context, p *part, r tiling.Rect, step int) error {
	if step == 0 && p.spec.Beta != 0 {
		err := readRows(ctx, p.in.c0, p.spec.C0.Matrix, r, elem.Slice[T](p.c[1].mem))
		if err != nil {
			return fileError(ctx, err, shmmat.FileC0, p.in.c0)
		}
	}
	w := p.width(step)
	if w <= 0 {
		return nil
	}
	k0 := int64(step) * p.plan.Width
	col, row := p.owners(step)
	if col == p.mine.col {
		s := tiling.Rect{R0: r.R0, R1: r.R1, C0: k0, C1: k0 + w}
		err := readStored(ctx, p.in.a, p.spec.A.Matrix, s, elem.Slice[T](p.a[step%2].mem))
		if err != nil {
			return fileError(ctx, err, shmmat.FileA, p.in.a)
		}
	}
	if row == p.mine.row {
		s := tiling.Rect{R0: k0, R1: k0 + w, C0: r.C0, C1: r.C1}
		err := readStored(ctx, p.in.b, p.spec.B.Matrix, s, elem.Slice[T](p.b[step%2].mem))
		if err != nil {
			return fileError(ctx, err, shmmat.FileB, p.in.b)
		}
	}
	return nil
}

// fileError makes a FileError, as of a worker that reads.
func fileError(ctx context.Context, err error, role shmmat.Role, f *matfile.File) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	status := shmmat.Failed
	if input := (*matfile.Error)(nil); errors.As(err, &input) {
		status = shmmat.BadInput
	}
	return &master.FileError{Role: role, Path: f.Path, Status: status, Text: strings.TrimPrefix(err.Error(), f.Path+": ")}
}

// readStored reads the block r of a matrix that lies in a file as m says: one
// stored vector's part after the other, without gaps.
func readStored[T elem.Float](ctx context.Context, f *matfile.File, m shmmat.Matrix, r tiling.Rect, dst []T) error {
	y0, y1, x0, x1 := r.R0, r.R1, r.C0, r.C1
	if m.Order == shmmat.ColMajor {
		y0, y1, x0, x1 = r.C0, r.C1, r.R0, r.R1
	}
	length, buf := x1-x0, []byte(nil)
	if f.Elem != elem.Of[T]() || f.BigEndian {
		buf = make([]byte, readBuffer)
	}
	if length == m.LD { // whole vectors
		return matfile.ReadElements(f, dst[:(y1-y0)*length], y0*m.LD, buf)
	}
	for y := y0; y < y1; y++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := matfile.ReadElements(f, dst[(y-y0)*length:][:length], y*m.LD+x0, buf); err != nil {
			return err
		}
	}
	return nil
}

// readBuffer is the scratch for elements that need conversion.
const readBuffer = 256 << 10

// readRows is readStored, but for what is to lie row-major.
func readRows[T elem.Float](ctx context.Context, f *matfile.File, m shmmat.Matrix, r tiling.Rect, dst []T) error {
	if m.Order == shmmat.RowMajor {
		return readStored(ctx, f, m, r, dst)
	}
	column := make([]T, r.Rows())
	for j := r.C0; j < r.C1; j++ {
		s := tiling.Rect{R0: r.R0, R1: r.R1, C0: j, C1: j + 1}
		if err := readStored(ctx, f, m, s, column); err != nil {
			return err
		}
		for i, x := range column {
			dst[int64(i)*r.Cols()+j-r.C0] = x
		}
	}
	return nil
}
