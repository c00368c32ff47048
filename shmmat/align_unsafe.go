package shmmat

import (
	"unsafe"
)

// alignedBytes returns n zeroed bytes of this process's own memory that start
// at a multiple of 4 KiB, as a mapping would.
func alignedBytes(n int64) []byte {
	const page = 4096
	b := make([]byte, n+page)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (page - 1)
	return b[skip : int64(skip)+n : int64(skip)+n]
}
