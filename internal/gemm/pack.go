package gemm

import "matmul/internal/elem"

// Source is a block of an operand in memory: its lane l at depth p is
// Data[l*LaneStride+p*DepthStride]. Both count from the block's own corner,
// wherever in the panels it goes. One of the strides is 1: a row-major A or a
// transposed B is depth-contiguous, a transposed A or a row-major B is
// lane-contiguous.
type Source[T elem.Float] struct {
	Data                    []T
	LaneStride, DepthStride int
}

// from returns the source from lane l, depth p on.
func (s *Source[T]) from(l, p int) []T { return s.Data[l*s.LaneStride+p*s.DepthStride:] }

// packDepth is the longest run of depths for which one lane group, or one row
// block, is worked on before the next: source and destination of a run fit in
// L1 and L2, few pages are open at a time, and a call stays short.
const (
	packDepth     = 256 // transposing
	packRowsDepth = 32  // copying rows, which lie a leading dimension apart
)

// packer are the packing routines of a kernel. rowsA and rowsB copy lanes that
// are contiguous in the source into micro-panels of MR and NR lanes:
//
//	for p := range n {
//		for l := range width {
//			dst[p*width+l] = scale * src[p*stride+l]
//		}
//	}
//
// Where there is sumRowsB, it is rowsB with a scale of 1, and adds the lanes of each
// depth to sum.
type packer[T elem.Float] struct {
	rowsA, rowsB func(n int, dst, src []T, stride int, scale T)
	sumRowsB     func(n int, dst, src []T, stride int, sum []T)
	transposes   []transpose[T] // by number of lanes, ascending
}

// transpose packs so many lanes that lie stride apart, n a multiple of step:
//
//	for p := range n {
//		for l := range lanes {
//			dst[p*width+l] = scale * src[l*stride+p]
//		}
//	}
type transpose[T elem.Float] struct {
	lanes, step int
	run         func(n int, dst []T, width int, src []T, stride int, scale T)
}

// transposeFor returns the routine for the most of so many lanes, or nil.
func (r *packer[T]) transposeFor(lanes int) (t *transpose[T]) {
	for i := range r.transposes {
		if r.transposes[i].lanes <= lanes {
			t = &r.transposes[i]
		}
	}
	return t
}

// Pack writes lanes [l0, l1) at depths [p0, p1) of dst, each element times
// scale, rounded once. l0 is a multiple of dst.Width, and so is l1 unless it
// is dst.Lanes; then the lanes that fill up the last micro-panel are zeroed at
// those depths. dst.Width is k.MR for A or k.NR for B. Disjoint ranges may be
// packed at the same time.
func Pack[T elem.Float](k *Kernel, dst Panels[T], l0, l1, p0, p1 int, src Source[T], scale T) {
	checkPack(k, &dst, l0, l1, p0, p1, &src)
	if l0 == l1 || p0 == p1 {
		return
	}
	r := routinesOf[T](k)
	if src.LaneStride == 1 {
		rows := r.packer.rowsA
		if dst.Width != k.MR {
			rows = r.packer.rowsB
		}
		packRows(rows, &dst, l0, l1, p0, p1, &src, scale)
		return
	}
	for l := l0; l < l1; l += dst.Width {
		for p := p0; p < p1; p += packDepth {
			n := min(packDepth, p1-p)
			part := Source[T]{src.from(l-l0, p-p0), src.LaneStride, 1}
			packPanel(&r.packer, dst.panel(l, p), dst.Width, min(dst.Width, l1-l), n, &part, scale)
		}
	}
}

func checkPack[T elem.Float](k *Kernel, dst *Panels[T], l0, l1, p0, p1 int, src *Source[T]) {
	if dst.Width != k.MR {
		dst.check(k.NR)
	} else {
		dst.check(k.MR)
	}
	if l0 < 0 || l0 > l1 || l1 > dst.Lanes || p0 < 0 || p0 > p1 || p1 > dst.Depth {
		panic("gemm: packed range lies outside the panels")
	}
	if l0%dst.Width != 0 || l1%dst.Width != 0 && l1 != dst.Lanes {
		panic("gemm: packed range cuts a micro-panel")
	}
	if src.LaneStride != 1 && src.DepthStride != 1 {
		panic("gemm: source is contiguous in neither direction")
	}
}

// packRows packs a lane-contiguous source, a few of its rows across all
// micro-panels at a time, so that each row's lines and pages are used whole.
func packRows[T elem.Float](rows func(int, []T, []T, int, T), dst *Panels[T], l0, l1, p0, p1 int, src *Source[T], scale T) {
	w := dst.Width
	for p := p0; p < p1; p += packRowsDepth {
		n := min(packRowsDepth, p1-p)
		for l := l0; l < l1; l += w {
			from := src.from(l-l0, p-p0)
			if l+w <= l1 {
				rows(n, dst.panel(l, p), from[:(n-1)*src.DepthStride+w], src.DepthStride, scale)
				continue
			}
			part := Source[T]{from, 1, src.DepthStride}
			packPlain(dst.panel(l, p), w, l1-l, n, &part, scale)
		}
	}
}

// packPanel packs n depths of one micro-panel from a depth-contiguous source
// that has the given number of lanes: by transposing, if there are lanes and depths
// enough. What is left of either is done together with some that were done before.
func packPanel[T elem.Float](r *packer[T], dst []T, width, lanes, n int, src *Source[T], scale T) {
	t := r.transposeFor(lanes)
	if t == nil || n < t.step {
		packPlain(dst, width, lanes, n, src, scale)
		return
	}
	steps := n / t.step * t.step
	for l := 0; l < lanes; l += t.lanes {
		l := min(l, lanes-t.lanes)
		t.pack(dst, width, l, 0, steps, src, scale)
		if steps < n {
			t.pack(dst, width, l, n-t.step, t.step, src, scale)
		}
	}
	pad(dst, width, lanes, n)
}

// pack packs t.lanes lanes from l on, at n depths from p on.
func (t *transpose[T]) pack(dst []T, width, l, p, n int, src *Source[T], scale T) {
	from := src.from(l, p)[:(t.lanes-1)*src.LaneStride+n]
	t.run(n, dst[p*width+l:(p+n-1)*width+l+t.lanes], width, from, src.LaneStride, scale)
}
