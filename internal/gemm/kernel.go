package gemm

import (
	"fmt"
	"slices"

	"matmul/internal/elem"
)

// Blocking holds the sizes of the blocks that the macro-kernel keeps in
// caches: MC rows of C and NC columns at a time, KC steps of the depth per
// call of a micro-kernel. They change the time, never the bits.
type Blocking struct{ MC, KC, NC int }

// A Kernel is one row of the dispatch table: the routines of one instruction
// set for one element type, with the panel widths MR and NR that they need and
// the blocking that suits them by default. Kernels are constants: compare them
// by address.
type Kernel struct {
	ISA    ISA
	Type   elem.Type
	MR, NR int
	Blocking

	routines any // *routines[float64] or *routines[float32], as Type says
}

// routines are what an instruction set has to supply for one element type.
type routines[T elem.Float] struct {
	tails     []tail[T] // micro-kernels by columns, ascending; the last has NR
	turnSteps int       // of a micro-kernel in which it fetches once ahead, and for later
	packer    packer[T]
	strips    strips[T]               // rows of MR elements, of as many as a tail has, or of more
	checksums func(n int, x, sum []T) // adds n rows of SumDepths elements to sum; nil for none
	digester  digester[T]
	flops     float64     // of one iteration of peak
	peakSteps func(n int) // n iterations of independent FMAs in registers
}

// A microKernel accumulates MR×cols blocks of C over k ≥ 1 steps: those beside
// each other, and then those of the next micro-panel of A.
//
//	for r, q := range panels, blocks {
//		a, b := a[r*aPanel:], b[q*bStep:]
//		src, dst := src[(r*blocks+q)*srcStep:], dst[r*dstPanel+q*dstStep:]
//		for i := range MR {
//			for j := range cols {
//				c := src[i*NR+j]
//				for p := range k {
//					c = FMA(a[i*aRow+p*aStep], b[p*bRow+j], c)
//				}
//				dst[i*ldd+j] = c
//			}
//		}
//		for p := range k {
//			if keepA != nil {
//				for i := range MR {
//					keepA[(r*k+p)*MR+i] = a[i*aRow+p*aStep]
//				}
//			} else if keepB != nil {
//				copy(keepB[(q*k+p)*NR:], b[p*bRow:][:cols])
//			}
//		}
//	}
//
// So a is a micro-panel (aRow = 1, aStep = MR) or rows of a row-major matrix
// (aStep = 1); b is a micro-panel (bRow = NR) or columns of a row-major matrix.
// keepA and keepB, one of them at a time, pack them while they are used for the
// first time: keepA where b is a micro-panel or there is one block, keepB in one
// micro-panel of A.
//
// Blocks in src are contiguous with row stride NR whatever cols is. src[q] may
// be dst[q] itself, or overlap no block of dst. ahead is what later calls, or the
// next micro-panel, will read of A, one part for each block, aheadStep elements apart,
// and aheadPanel more from one micro-panel to the next, of which every
// turnSteps fetch one line, aheadTurn apart: a hint, of any length. So is
// later, of which two lines are fetched, for what will be read of B in a while, one
// part after the other.
// Where a block of src or b would follow the last one it may be fetched, but is
// not read.
type microKernel[T elem.Float] func(k, blocks, panels int, a []T, aRow, aStep, aPanel int, b []T, bRow, bStep int, keepA, keepB, src []T, srcStep int, dst []T, dstStep, dstPanel, ldd int, ahead []T, aheadStep, aheadPanel, aheadTurn int, later []T, laterStep, laterTurn int)

// A tail is a micro-kernel for the first cols columns of a B micro-panel.
type tail[T elem.Float] struct {
	cols int
	run  microKernel[T]
}

// Lookup returns the kernel of an instruction set for an element type; Auto
// stands for the best that the machine has. The error wraps [ErrISA] and names
// what the machine has. It panics unless t is a type to compute in.
func Lookup(isa ISA, t elem.Type) (*Kernel, error) {
	if !t.Computes() {
		panic("gemm: no kernels for " + t.String())
	}
	has := Supported()
	if isa == Auto {
		isa = has[len(has)-1]
	}
	if !slices.Contains(has, isa) {
		return nil, fmt.Errorf("%w: %s (this machine and build have %v)", ErrISA, isa, has)
	}
	for i := range table {
		if table[i].ISA == isa && table[i].Type == t {
			return &table[i], nil
		}
	}
	panic("gemm: no kernel in the table for " + isa.String())
}

// String returns the instruction set and the block, such as "avx512 8x24".
func (k *Kernel) String() string { return fmt.Sprintf("%s %dx%d", k.ISA, k.MR, k.NR) }

// routinesOf returns the routines of k, which must be a kernel for T.
func routinesOf[T elem.Float](k *Kernel) *routines[T] {
	r, ok := k.routines.(*routines[T])
	if !ok {
		panic("gemm: kernel for " + k.Type.String() + " used on " + elem.Of[T]().String())
	}
	return r
}
