package matfile

import (
	"slices"

	"matmul/internal/elem"
)

// Write writes elements to o, in the order of rows, beginning with element
// at. The type T must be that of o, and all of src must lie in the matrix:
// anything else panics.
func Write[T elem.Float](o *Output, src []T, at int64) error {
	if o.Elem != elem.Of[T]() || at < 0 || at > o.Rows*o.Cols-int64(len(src)) {
		panic("matfile: write of another type or outside the matrix")
	}
	b := elem.Bytes(src)
	if nativeBigEndian {
		b = swapped(b, o.Elem.Size())
	}
	if _, err := o.file.WriteAt(b, o.Offset+at*int64(o.Elem.Size())); err != nil {
		return outputError(o.Path, "write", err)
	}
	return nil
}

// swapped returns a copy of b with the bytes of each element reversed.
func swapped(b []byte, size int) []byte {
	b = slices.Clone(b)
	for i := 0; i < len(b); i += size {
		slices.Reverse(b[i : i+size])
	}
	return b
}
