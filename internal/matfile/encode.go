package matfile

import (
	"archive/zip"
	"bufio"
	"context"
	"io"
	"math"
	"strconv"

	"matmul/internal/elem"
)

// Write writes the matrix in c, of float64 or float32 in the order of rows, to w,
// from beginning to end. It returns what [Target.Reread] must find there. progress
// takes the elements done and in all; it may be nil.
func (t Target) Write(ctx context.Context, w io.Writer, c *File, progress func(done, total int64)) (Digest, error) {
	out := bufio.NewWriterSize(w, readBuffer)
	d := newDigest(c.Elem)
	err := t.encode(ctx, out, c, func(run []float64) error {
		err := d.put(run)
		if progress != nil {
			progress(d.count, c.Rows*c.Cols)
		}
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	return d.sum(c.Rows, c.Cols), err
}

// encode writes all of c to out, and tells of the elements as they go.
func (t Target) encode(ctx context.Context, out *bufio.Writer, c *File, tell func([]float64) error) error {
	switch t.Format {
	case Npz:
		archive := zip.NewWriter(out)
		member, err := archive.CreateHeader(&zip.FileHeader{Name: t.member + npySuffix, Method: zip.Store})
		if err != nil {
			return err
		}
		if err := encodeNpy(ctx, member, c, tell); err != nil {
			return err
		}
		return archive.Close()
	case Npy:
		return encodeNpy(ctx, out, c, tell)
	case Raw:
		return encodeRaw(ctx, out, c, tell)
	case Market:
		if _, err := out.WriteString(marketHeader(c.Rows, c.Cols)); err != nil {
			return err
		}
		return walkColumns(ctx, c, encodeText(out, c, '\n', tell))
	case TSV:
		return walk(ctx, c, encodeText(out, c, '\t', tell))
	case Text:
		return walk(ctx, c, encodeText(out, c, ' ', tell))
	}
	return walk(ctx, c, encodeText(out, c, ',', tell))
}

func encodeNpy(ctx context.Context, w io.Writer, c *File, tell func([]float64) error) error {
	if _, err := w.Write(header(c.Rows, c.Cols, c.Elem)); err != nil {
		return err
	}
	return encodeRaw(ctx, w, c, tell)
}

// encodeRaw writes the elements in little-endian order.
func encodeRaw(ctx context.Context, w io.Writer, c *File, tell func([]float64) error) error {
	var narrow []float32
	return walk(ctx, c, func(run []float64) error {
		b := elem.Bytes(run)
		if c.Elem == elem.Float32 {
			narrow = narrow[:0]
			for _, v := range run {
				narrow = append(narrow, float32(v))
			}
			b = elem.Bytes(narrow)
		}
		if nativeBigEndian {
			b = swapped(b, c.Elem.Size())
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		return tell(run)
	})
}

// encodeText returns what writes elements of c with delim between those of a row,
// and each row on its line.
func encodeText(out *bufio.Writer, c *File, delim byte, tell func([]float64) error) func([]float64) error {
	format, col := appendFloat64, int64(0)
	if c.Elem == elem.Float32 {
		format = appendFloat32
	}
	return func(run []float64) error {
		for _, v := range run {
			b := format(out.AvailableBuffer(), v)
			if col++; col == c.Cols {
				b, col = append(b, '\n'), 0
			} else {
				b = append(b, delim)
			}
			if _, err := out.Write(b); err != nil {
				return err
			}
		}
		return tell(run)
	}
}

func appendFloat64(b []byte, v float64) []byte { return appendFloat(b, v, 64) }

// appendFloat32 appends digits that give v when they are read as float64 and then
// rounded to float32. The shortest of float32 do, but for rare ones that float64
// rounds to the middle between two elements.
func appendFloat32(b []byte, v float64) []byte {
	n := len(b)
	b = appendFloat(b, v, 32)
	if back, err := strconv.ParseFloat(string(b[n:]), 64); err == nil && float32(back) != float32(v) && back == back {
		return appendFloat(b[:n], v, 64)
	}
	return b
}

func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "nan"...)
	case math.IsInf(v, 1):
		return append(b, "inf"...)
	case math.IsInf(v, -1):
		return append(b, "-inf"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits)
}

// walk calls f with all elements of c in the order in which they are stored, some
// at a time.
func walk(ctx context.Context, c *File, f func([]float64) error) error {
	return walkBlock(ctx, c, 0, c.Rows*c.Cols, f)
}

// walkBlock calls f with count elements of c from first on.
func walkBlock(ctx context.Context, c *File, first, count int64, f func([]float64) error) error {
	flat := c.flat()
	run := make([]float64, min(count, runLength))
	buf := make([]byte, runLength*c.Elem.Size())
	for at := first; at < first+count; at += int64(len(run)) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		run = run[:min(int64(len(run)), first+count-at)]
		if err := Read(flat, run, at, int64(len(run)), buf); err != nil {
			return err
		}
		if err := f(run); err != nil {
			return err
		}
	}
	return nil
}

// flat returns f as one column, to read any run of its elements.
func (f *File) flat() *File {
	flat := *f
	flat.Rows, flat.Cols, flat.Dims, flat.Fortran = f.Rows*f.Cols, 1, 1, false
	return &flat
}

// blockElements is how many elements at most walkColumns has in a block, and in its
// transpose.
const blockElements = 2 << 20

// WriteMemory returns the bytes that [Target.Write] and [Target.Reread] take for a
// matrix, at most.
func (t Target) WriteMemory(rows, cols int64) int64 {
	bytes := int64(4 * readBuffer)
	if t.Format == Market {
		bytes += 2 * 8 * min(blockElements, rows*cols)
	}
	return bytes
}

// walkColumns calls f with all elements of c, which is in the order of rows, in the
// order of columns, some at a time. It reads blocks of whole columns, or parts of
// one column where a column is larger than a block.
func walkColumns(ctx context.Context, c *File, f func([]float64) error) error {
	flat := c.flat()
	height := min(c.Rows, blockElements)
	width := max(1, blockElements/max(1, height))
	var block, column []float64
	for j := int64(0); j < c.Cols; j += width {
		w := min(width, c.Cols-j)
		for i := int64(0); i < c.Rows; i += height {
			h := min(height, c.Rows-i)
			block = resize(block, h*w)
			for p := range h {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := Read(flat, block[p*w:][:w], (i+p)*c.Cols+j, w, nil); err != nil {
					return err
				}
			}
			for q := range w {
				column = column[:0]
				for p := range h {
					column = append(column, block[p*w+q])
				}
				if err := f(column); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func resize(s []float64, n int64) []float64 {
	if int64(cap(s)) < n {
		return make([]float64, n)
	}
	return s[:n]
}
