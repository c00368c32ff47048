package gemm

import (
	"unsafe"

	"matmul/internal/elem"
	"matmul/internal/sys"
)

// pageSize is the usual page size, and a multiple of a cache line.
const pageSize = 4096

// alignedSlice returns n zero elements that start on a page; many, on a huge
// page, and backed by such pages if the kernel grants them: accumulators that
// pass by once per k-block would miss the TLB at every other block.
func alignedSlice[T elem.Float](n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	align := pageSize
	if n*size >= sys.HugePageSize {
		align = sys.HugePageSize
		n = (n*size + align - 1) / align * align / size
	}
	s := make([]T, n+align/size)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) & uintptr(align-1))
	s = s[off/size:][:n:n]
	if align == sys.HugePageSize {
		sys.AskHuge(elem.Bytes(s))
	}
	return s
}
