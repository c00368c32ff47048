package gemm

import (
	"math/bits"

	"matmul/internal/elem"
)

// Panels is an operand packed into micro-panels of Width lanes, each Depth
// long. A lane is a row of op(A), with Width = MR, or a column of op(B), with
// Width = NR. Lane l at depth p is
//
//	Data[(l/Width)*Width*Depth + p*Width + l%Width]
//
// and the lanes from Lanes to the end of the last micro-panel are zero, so a
// micro-kernel never sees an edge.
type Panels[T elem.Float] struct {
	Data                []T
	Width, Lanes, Depth int
}

// PanelLen returns the number of elements that the panels of an operand take:
// lanes rounded up to whole micro-panels, times depth. It panics if that does
// not fit an int; a caller with shapes from outside checks those first.
func PanelLen(lanes, depth, width int) int {
	n := lanes/width + b2i(lanes%width != 0)
	hi, size := bits.Mul64(uint64(n), uint64(width))
	hi2, size := bits.Mul64(size, uint64(depth))
	if lanes < 0 || depth < 0 || hi|hi2 != 0 || int(size) < 0 || uint64(int(size)) != size {
		panic("gemm: panels do not fit the address space")
	}
	return int(size)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// panel returns the rest of the operand from depth p of the micro-panel that
// holds lane l.
func (x *Panels[T]) panel(l, p int) []T {
	return x.Data[l/x.Width*x.Width*x.Depth+p*x.Width:]
}

// check panics unless the panels are as long as their shape says.
func (x *Panels[T]) check(width int) {
	if x.Width != width {
		panic("gemm: panels are packed for another kernel")
	}
	if len(x.Data) < PanelLen(x.Lanes, x.Depth, x.Width) {
		panic("gemm: panels are shorter than their shape")
	}
}
