package verify

import (
	"errors"

	"matmul/internal/elem"
	"matmul/internal/matfile"
)

// An operand is op(X) as it lies in its file: lines, which are contiguous,
// one after another. A line is a row of op(X) if byRows, else a column. Element e
// of line l is first + l·stride + e of the file.
type operand struct {
	file       *matfile.File // as it is stored, for errors that name a place
	flat       *matfile.File // the same elements as one column, to read any run
	rows, cols int64         // of op(X)
	byRows     bool

	first, stride int64
}

// newOperand views f, whose shape is in's, through op.
func newOperand(f *matfile.File, in matfile.Info, trans bool) operand {
	stored, flat := *f, *f
	stored.Info = in
	flat.Rows, flat.Cols, flat.Dims, flat.Fortran = in.Rows*in.Cols, 1, 1, false
	x := operand{file: &stored, flat: &flat, rows: in.Rows, cols: in.Cols, byRows: !in.Fortran}
	if trans {
		x.rows, x.cols, x.byRows = x.cols, x.rows, !x.byRows
	}
	_, x.stride = x.lines()
	return x
}

// part returns the rows [r0, r1) of op(X).
func (x operand) part(r0, r1 int64) operand {
	if x.byRows {
		x.first += r0 * x.stride
	} else {
		x.first += r0
	}
	x.rows = r1 - r0
	return x
}

// at returns where in the file a line goes on with its element e.
func (x *operand) at(line, e int64) int64 { return x.first + line*x.stride + e }

// lines returns how many lines there are, and the elements of each.
func (x *operand) lines() (count, length int64) {
	if x.byRows {
		return x.rows, x.cols
	}
	return x.cols, x.rows
}

// readRun fills dst with the elements of the file that begin with element at.
func readRun[T elem.Float](x *operand, dst []T, at int64, buf []byte) error {
	err := matfile.Read(x.flat, dst, at, int64(len(dst)), buf)
	var inexact *elem.InexactError
	if errors.As(err, &inexact) {
		return x.nameInexact(err, at+int64(inexact.Index))
	}
	return err
}

// nameInexact reads once more, through the stored shape, so that the error
// names the element by its row and column.
func (x *operand) nameInexact(err error, at int64) error {
	_, length := x.file.Vectors()
	if named := matfile.Read(x.file, make([]float64, length), at/length, 1, nil); named != nil {
		return named
	}
	return err
}

// scratchElements is the length, at most, of the buffer that rectangles pass
// through.
const scratchElements = 32 << 10

// A scratch is one goroutine's buffers for reading.
type scratch struct {
	f64   []float64
	f32   []float32 // nil unless the type is float32
	bytes []byte    // undecoded
}

func (j *job) newScratch() *scratch {
	n := j.scratchLength()
	s := &scratch{f64: make([]float64, n), bytes: make([]byte, 8*n)}
	if j.prec.t == elem.Float32 {
		s.f32 = make([]float32, n)
	}
	return s
}

// scratchLength is scratchElements, or less if no operand has as many.
func (j *job) scratchLength() int64 {
	n := int64(1)
	for _, x := range []operand{j.a, j.b, j.c} {
		n = max(n, min(scratchElements, x.rows*x.cols))
	}
	return n
}

// scratchMemory returns the bytes of a scratch, at most.
func (j *job) scratchMemory() int64 { return (8 + 4 + 8) * j.scratchLength() }

// run returns count elements from element at on, rounded to the type, in s.
func (x *operand) run(s *scratch, at, count int64) ([]float64, error) {
	dst := s.f64[:count]
	if s.f32 == nil {
		return dst, readRun(x, dst, at, s.bytes)
	}
	if err := readRun(x, s.f32[:count], at, s.bytes); err != nil {
		return nil, err
	}
	for i, v := range s.f32[:count] {
		dst[i] = float64(v)
	}
	return dst, nil
}
