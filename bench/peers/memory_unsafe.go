package main

import (
	"fmt"
	"syscall"
	"unsafe"

	"matmul/internal/elem"
)

// hugePage is the alignment at which the kernel can use huge pages on amd64
// and arm64, and madvHugePage asks for them (madvise(2)).
const (
	hugePage     = 2 << 20
	madvHugePage = 14
)

// allocate returns n elements at the start of a huge page, outside of Go's
// heap, for as long as the process lives. Not touched yet: a huge page or not
// is decided at the first touch.
func allocate[T elem.Float](n int64) ([]T, error) {
	bytes := int(n) * elem.Of[T]().Size()
	m, err := syscall.Mmap(-1, 0, bytes+hugePage, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("mmap %d bytes: %w", bytes, err)
	}
	_ = syscall.Madvise(m, madvHugePage) // not every kernel has them: then it goes without
	at := uintptr(unsafe.Pointer(unsafe.SliceData(m)))
	skip := -at & (hugePage - 1)
	return elem.Slice[T](m[skip:][:bytes]), nil
}
