package main

import (
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	"matmul/internal/elem"
)

// fortranFlops is the work below which the Fortran entry is called. A call of
// CBLAS takes a microsecond, because purego has to sort its arguments into
// integers and floats; one whose arguments are all addresses takes a tenth of
// that. From n = 512 on nobody can tell.
const fortranFlops = 2 * 512 * 512 * 512

// fortran is dgemm_ or sgemm_. Its numbers are wide enough for libraries with
// 64-bit indices; the others read the lower half.
type fortran[T elem.Float] struct {
	entry     uintptr
	no        byte // 'N': not transposed
	m, n, k   int64
	one, zero T
}

func newFortran[T elem.Float](entry uintptr) *fortran[T] {
	return &fortran[T]{entry: entry, no: 'N', one: 1}
}

// call computes the column-major C = A·B without gaps between columns. The
// last two arguments are the lengths of the letters, as gfortran passes them.
func (f *fortran[T]) call(m, n, k int64, a, b, c []T) {
	f.m, f.n, f.k = m, n, k
	purego.SyscallN(f.entry,
		uintptr(unsafe.Pointer(&f.no)), uintptr(unsafe.Pointer(&f.no)),
		uintptr(unsafe.Pointer(&f.m)), uintptr(unsafe.Pointer(&f.n)), uintptr(unsafe.Pointer(&f.k)),
		uintptr(unsafe.Pointer(&f.one)),
		uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&f.m)),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&f.k)),
		uintptr(unsafe.Pointer(&f.zero)),
		uintptr(unsafe.Pointer(&c[0])), uintptr(unsafe.Pointer(&f.m)),
		1, 1)
}

// readString has a text written into a buffer.
func readString(get func(buffer *byte, length int32)) string {
	var buffer [200]byte
	get(&buffer[0], int32(len(buffer)))
	text, _, _ := strings.Cut(string(buffer[:]), "\x00")
	return strings.TrimSpace(text)
}
