package matfile

import (
	"errors"
	"fmt"
	"io"

	"matmul/internal/elem"
)

// readBuffer is the scratch that Read makes for itself when given none.
const readBuffer = 256 << 10

// Read reads count vectors of f, beginning with vector first, into dst, one
// after another without gaps. A vector is what is contiguous in the file: a
// row in C order, a column in Fortran order (see [Info.Vectors]). Elements
// are converted as [elem.Decode] says. buf is scratch, where elements need
// conversion; its size decides how much is read at once, and one too small
// for an element is replaced by a new one.
//
// It is an [*Error] if the file has become shorter, or holds an integer that
// float64 cannot represent; dst is then partly written. Read panics if the
// vectors are not all in the matrix or dst is shorter than they are: a
// caller's bug.
func Read[T elem.Float](f *File, dst []T, first, count int64, buf []byte) error {
	vectors, length := f.Vectors()
	if first < 0 || count < 0 || first > vectors-count {
		panic("matfile: read outside the matrix")
	}
	return ReadElements(f, dst[:count*length], first*length, buf)
}

// ReadElements is [Read] for the len(dst) elements that begin with element at,
// in the order in which the file stores them.
func ReadElements[T elem.Float](f *File, dst []T, at int64, buf []byte) error {
	if at < 0 || at > f.Rows*f.Cols-int64(len(dst)) {
		panic("matfile: read outside the matrix")
	}
	if f.isNative(elem.Of[T]()) {
		return f.readBytes(elem.Bytes(dst), at)
	}
	size := f.Elem.Size()
	if len(buf) < size {
		buf = make([]byte, readBuffer)
	}
	for len(dst) > 0 {
		n := min(len(buf)/size, len(dst))
		if err := f.readBytes(buf[:n*size], at); err != nil {
			return err
		}
		if err := elem.Decode(dst[:n], buf, f.Elem, f.BigEndian); err != nil {
			return f.decodeError(err, at)
		}
		dst, at = dst[n:], at+int64(n)
	}
	return nil
}

// isNative reports whether the stored elements need no conversion to t.
func (f *File) isNative(t elem.Type) bool {
	return f.Elem == t && f.BigEndian == nativeBigEndian
}

// readBytes fills b from the element at.
func (f *File) readBytes(b []byte, at int64) error {
	if len(b) == 0 {
		return nil
	}
	offset := f.Offset + at*int64(f.Elem.Size())
	n, err := f.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return &Error{Path: f.Path, Problem: fmt.Sprintf("was truncated while it was read: byte %d is gone", offset+int64(n)),
			Want: fmt.Sprintf("%d bytes", f.Offset+f.DataSize()), Advice: "run again when nothing writes to it", Err: io.ErrUnexpectedEOF}
	}
	return fmt.Errorf("read %s: %w", printable(f.Path), bare(err))
}

// decodeError names the place of an integer that elem.Decode refused in a run
// that began with element at.
func (f *File) decodeError(err error, at int64) error {
	var inexact *elem.InexactError
	if !errors.As(err, &inexact) {
		return fmt.Errorf("read %s: %w", printable(f.Path), err)
	}
	_, length := f.Vectors()
	at += int64(inexact.Index)
	row, col := at/length, at%length
	if f.Fortran {
		row, col = col, row
	}
	return &Error{Path: f.Path, Problem: fmt.Sprintf("holds the %s %s in row %d, column %d, which float64 cannot represent exactly",
		inexact.Type, inexact.Value, row, col), Advice: "convert it with array.astype('f8') if rounding is meant", Err: err}
}
