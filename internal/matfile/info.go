// Package matfile reads matrices from files and writes them so that a result is
// either complete and on disk under its name, or not there at all. [Open] and
// [Create] are for .npy files; [Opener] and [Target] for every [Format], and for
// pipes.
//
// Contract: nothing in an input is trusted. What a header claims is checked
// against the size of the file before anything is allocated or read by it,
// and a file that changes while it is read gives an error, never a crash. An
// input that cannot be used, or an output that may not be written, is
// reported as an [*Error], whose one line names the file. A target that is
// not to be replaced is never replaced, not even in a race.
//
// .npy is described in NEP 1 and in numpy.lib.format. Versions 1, 2 and 3 are
// read; version 1 is written. docs/formats.md describes the other formats.
package matfile

import (
	"fmt"
	"math"
	"math/bits"

	"matmul/internal/elem"
)

// Info describes a matrix in a file.
type Info struct {
	Path      string    // as the user named it
	Rows      int64     // the length, for a 1-D array
	Cols      int64     // 1 for a 1-D array
	Dims      int       // 1 or 2
	Elem      elem.Type // stored element type
	BigEndian bool      // byte order of the elements; false where they have one byte
	Fortran   bool      // columns are contiguous, not rows; false for a 1-D array
	Offset    int64     // of the first element, in bytes; any alignment
}

// AsRow returns the view of a left operand: a 1-D array becomes a single row.
// A 2-D array stays what it is.
func (in Info) AsRow() Info {
	if in.Dims == 1 {
		in.Rows, in.Cols = 1, in.Rows*in.Cols
	}
	return in
}

// AsColumn returns the view of a right operand: a 1-D array becomes a single
// column. A 2-D array stays what it is.
func (in Info) AsColumn() Info {
	if in.Dims == 1 {
		in.Rows, in.Cols = in.Rows*in.Cols, 1
	}
	return in
}

// Vectors returns how the elements lie in the file: count contiguous vectors
// of length elements, which are the rows in C order, the columns in Fortran
// order.
func (in Info) Vectors() (count, length int64) {
	if in.Fortran {
		return in.Cols, in.Rows
	}
	return in.Rows, in.Cols
}

// DataSize returns the bytes that the elements take. It does not overflow for
// an Info that this package made.
func (in Info) DataSize() int64 { return in.Rows * in.Cols * int64(in.Elem.Size()) }

// Shape returns the shape as NumPy writes it: "(3, 4)", or "(3,)" for 1-D.
func (in Info) Shape() string {
	if in.Dims == 1 {
		return fmt.Sprintf("(%d,)", in.Rows*in.Cols)
	}
	return fmt.Sprintf("(%d, %d)", in.Rows, in.Cols)
}

// fileSize returns offset + rows·cols·size, and whether an int64 holds it and
// rows·cols.
func fileSize(offset, rows, cols int64, t elem.Type) (int64, bool) {
	hi, n := bits.Mul64(uint64(rows), uint64(cols))
	if hi != 0 || n > math.MaxInt64 {
		return 0, false
	}
	hi, n = bits.Mul64(n, uint64(t.Size()))
	if hi != 0 || n > uint64(math.MaxInt64-offset) {
		return 0, false
	}
	return offset + int64(n), true
}
