package gemm

import (
	"unsafe"

	"matmul/internal/elem"
)

// workspaceAlign is the usual page size, and a multiple of a cache line.
const workspaceAlign = 4096

// alignedSlice returns n zero elements that start on a page.
func alignedSlice[T elem.Float](n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	s := make([]T, n+workspaceAlign/size)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) & (workspaceAlign - 1))
	return s[off/size:][:n:n]
}
