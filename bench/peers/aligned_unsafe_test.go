package main

import (
	"unsafe"

	"matmul/internal/elem"
)

// aligned reports whether memory begins with a cache line.
func aligned[T elem.Float](v []T) bool { return uintptr(unsafe.Pointer(&v[0]))%64 == 0 }
