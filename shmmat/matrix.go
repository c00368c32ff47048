package shmmat

import (
	"fmt"
	"math/bits"

	"matmul/internal/elem"
)

// Order says which elements of a matrix lie next to each other.
type Order uint8

// The orders: of a row (C order), or of a column (Fortran order).
const (
	RowMajor Order = iota
	ColMajor
)

// Matrix describes a matrix where it is stored, in a region or in a file: a
// view, not a copy. All fields are of fixed size, since it travels in job
// records.
type Matrix struct {
	Rows, Cols int64
	LD         int64 // leading dimension: elements from one row (RowMajor) or column (ColMajor) to the next
	Offset     int64 // of the first element, in bytes from the start of the region or file
	Order      Order
	Type       elem.Type // as stored; in a region always Float64 or Float32, in the machine's byte order
	BigEndian  bool
	InFile     bool
	Segment    uint32 // number of the kept segment that it lies in; 0: a region of the job's data segment
}

// T returns the transposed view of the same memory.
func (m Matrix) T() Matrix {
	m.Rows, m.Cols = m.Cols, m.Rows
	m.Order = RowMajor + ColMajor - m.Order
	return m
}

// Majors returns the number of vectors that are stored one after the other,
// and Minors the length of each: rows and columns in RowMajor.
func (m Matrix) Majors() int64 {
	if m.Order == RowMajor {
		return m.Rows
	}
	return m.Cols
}

// Minors returns the elements of one stored vector.
func (m Matrix) Minors() int64 { return m.Rows + m.Cols - m.Majors() }

// Check returns an error unless the matrix lies whole within size bytes. Its
// arithmetic cannot overflow whatever the fields hold.
func (m Matrix) Check(size int64) error {
	if m.Rows < 0 || m.Cols < 0 || m.Offset < 0 || m.LD < m.Minors() || !m.Type.Valid() || m.Order > ColMajor {
		return fmt.Errorf("impossible matrix %+v", m)
	}
	if m.Rows == 0 || m.Cols == 0 {
		return nil
	}
	// The last vector need not be followed by a gap.
	hi, lo := bits.Mul64(uint64(m.Majors()-1), uint64(m.LD))
	last, carry := bits.Add64(lo, uint64(m.Minors()), 0)
	hi2, n := bits.Mul64(last, uint64(m.Type.Size()))
	end, carry2 := bits.Add64(n, uint64(m.Offset), 0)
	if hi|carry|hi2|carry2 != 0 || end > uint64(max(size, 0)) {
		return fmt.Errorf("matrix %d×%d (leading dimension %d) does not fit into %d bytes", m.Rows, m.Cols, m.LD, size)
	}
	return nil
}

// Elements returns the memory of a matrix in a region, from its first element
// to its last. m must have been checked against len(region).
func Elements[T elem.Float](m Matrix, region []byte) []T {
	if m.Rows == 0 || m.Cols == 0 {
		return nil
	}
	n := ((m.Majors()-1)*m.LD + m.Minors()) * int64(m.Type.Size())
	return elem.Slice[T](region[m.Offset : m.Offset+n])
}
