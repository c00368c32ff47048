package gemm

import "matmul/internal/elem"

// A Workspace is the private scratch of one worker: the accumulators of the
// blocks of C under way between two k-blocks. The zero value is ready for use;
// it grows to the largest blocking seen and is reused from tile to tile. One
// goroutine uses it at a time.
type Workspace[T elem.Float] struct {
	blocks []T        // MR×NR blocks in the order in which jr and ir visit them
	zero   []T        // one block that is never written: where sums start from
	macro  macro[T]   // the one at work
	a, b   scratch[T] // micro-panels of operands that are packed on the way
}

// A scratch is memory that grows to what was asked for most.
type scratch[T elem.Float] []T

func (s *scratch[T]) reserve(n int) []T {
	if len(*s) < n {
		*s = alignedSlice[T](n)
	}
	return *s
}

// reserve makes room for n blocks of size elements, page-aligned so that a
// block's cache lines and translations are its own.
func (w *Workspace[T]) reserve(n, size int) {
	if len(w.zero) < size {
		w.zero = alignedSlice[T](size)
	}
	if len(w.blocks) < n*size {
		w.blocks = alignedSlice[T](n * size)
	}
}
