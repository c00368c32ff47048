package elem

import "unsafe"

// Bytes returns the memory of s as bytes, in the machine's byte order. The
// result aliases s.
func Bytes[T Float](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	var z T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(z)))
}

// Slice returns the memory of b as elements, or as integers, in the machine's byte order. The
// result aliases b. It panics unless b is aligned for T and a whole number of
// elements long: both are the caller's to arrange.
func Slice[T Float | uint64](b []byte) []T {
	var z T
	size := int(unsafe.Sizeof(z))
	if len(b) == 0 {
		return nil
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%uintptr(size) != 0 || len(b)%size != 0 {
		panic("elem: memory is not aligned to whole elements")
	}
	return unsafe.Slice((*T)(p), len(b)/size)
}
