package matmul

import "unsafe"

// address returns where the memory of a slice begins.
func address[T float32 | float64](s []T) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(s)))
}

// overlap reports whether two slices share memory.
func overlap[T float32 | float64](a, b []T) bool {
	size := unsafe.Sizeof(*new(T))
	return len(a) > 0 && len(b) > 0 &&
		address(a) < address(b)+uintptr(len(b))*size && address(b) < address(a)+uintptr(len(a))*size
}
