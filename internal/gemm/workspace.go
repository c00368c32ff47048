package gemm

import (
	"matmul/internal/elem"
	"matmul/internal/sys"
)

// A Workspace is the private scratch of one worker: the accumulators of the
// blocks of C under way between two k-blocks. The zero value is ready for use;
// it grows to the largest blocking seen and is reused from tile to tile. One
// goroutine uses it at a time.
type Workspace[T elem.Float] struct {
	blocks  []T        // MR×NR blocks in the order in which jr and ir visit them
	zero    []T        // one block that is never written: where sums start from
	macro   macro[T]   // the one at work
	a, b    scratch[T] // micro-panels of operands that are packed on the way
	check   checker[T] // of the tile at work, if it is checked
	sums    []T        // that PackChecked has begun
	digests []uint64   // likewise
	unread  []T        // what a routine writes and nobody wants
	touched T          // what touch has read, so that it is read
}

// A scratch is memory that grows to what was asked for most.
type scratch[T elem.Float] []T

func (s *scratch[T]) reserve(n int) []T {
	if len(*s) < n {
		*s = alignedSlice[T](n)
	}
	return *s
}

// spare is the part of a workspace's blocks that is reserved besides what a tile asks
// for: another tile of the same job is often larger by some micro-panels, and memory is
// taken when it is first written.
const spare = 8

// reserve makes room for n blocks of size elements, page-aligned so that a
// block's cache lines and translations are its own.
func (w *Workspace[T]) reserve(n, size int) {
	if len(w.zero) < size {
		w.zero = alignedSlice[T](size)
	}
	if len(w.blocks) < n*size {
		w.blocks = alignedSlice[T](n * size * (spare + 1) / spare)
	}
}

// Scratch returns the bytes that a [Workspace] takes, at most, for tiles of at
// most m×n over so much depth. packedA and packedB say which operands lie in
// panels; blocks of the others are packed in the workspace. [CheckScratch] has what
// checks take besides. A zero size in b stands for the kernel's own.
func Scratch(k *Kernel, b Blocking, m, n, depth int, packedA, packedB bool) int64 {
	if m <= 0 || n <= 0 || depth <= 0 {
		return 0
	}
	size := func(want, total, unit int) int64 {
		return int64((min(max(want, unit), total)-1)/unit+1) * int64(unit)
	}
	b = k.most(b, packedA && packedB)
	bytes := func(elems int64) int64 { // with what alignedSlice adds
		n := elems * int64(k.Type.Size())
		if n >= sys.HugePageSize {
			return n + 2*sys.HugePageSize
		}
		return n + pageSize
	}
	mc, kc := size(b.MC, m, k.MR), size(b.KC, depth, 4)
	all := bytes(int64(k.MR*k.NR)) + bytes(mc*size(n, n, k.NR)*(spare+1)/spare)
	narrow := b.fit(depth, 1, true)
	if !packedA {
		all += bytes(max(mc*kc, int64(k.MR)*size(narrow.KC, depth, 4)))
	}
	if !packedB {
		narrow.NC /= shallow // as many columns as it has at most
		most := int64(0)
		for _, b := range []Blocking{b.fit(depth, 1, false), b.fit(depth, 2, false), b.fit(depth, 3, false), narrow} {
			most = max(most, size(b.NC, n, k.NR)*size(b.KC, depth, 4))
		}
		all += bytes(most)
	}
	return all
}
