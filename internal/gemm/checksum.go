package gemm

import (
	"math"

	"matmul/internal/elem"
)

// Sums are the checksums of an operand's panels: for each micro-panel, and each
// depth, the sum of its lanes and the sum of their magnitudes. Lane l at depth p
// counts in
//
//	Sums[l/Width*2*Depth + 2*p]  and  Sums[l/Width*2*Depth + 2*p + 1]
//
// They are made from what is packed, and lie apart from the panels, so that a
// panel that is damaged later does not agree with them.
type Sums[T elem.Float] []T

// SumsLen returns the number of checksums that the panels of an operand have.
func SumsLen(lanes, depth, width int) int {
	return 2 * PanelLen(lanes, depth, width) / width
}

// of returns the pairs of sums of the micro-panel of lane l, from depth p on.
func (s Sums[T]) of(l, width, depth, p int) Sums[T] { return s[l/width*2*depth+2*p:] }

// PackSums writes the checksums of what [Pack] writes with the same arguments,
// from the source. Disjoint ranges may be summed at the same time.
func PackSums[T elem.Float](k *Kernel, dst Sums[T], to Panels[T], l0, l1, p0, p1 int, src Source[T], scale T) {
	checkPack(k, &to, l0, l1, p0, p1, &src)
	if len(dst) < SumsLen(to.Lanes, to.Depth, to.Width) {
		panic("gemm: checksums are fewer than their panels have")
	}
	if l0 == l1 || p0 == p1 {
		return
	}
	r := routinesOf[T](k)
	y := summer[T]{along: &r.stripB, across: &r.stripA}
	if to.Width != k.MR {
		y.across = &r.stripB
	}
	for l := l0; l < l1; l += to.Width {
		for p := p0; p < p1; p += stripRows {
			n := min(stripRows, p1-p)
			part := Source[T]{src.from(l-l0, p-p0), src.LaneStride, src.DepthStride}
			y.sum(dst.of(l, to.Width, to.Depth, p)[:2*n], part, min(to.Width, l1-l), scale)
		}
	}
}

// A summer sums the lanes of a source, at most stripRows depths at a time.
type summer[T elem.Float] struct {
	along, across *strip[T] // along depths that are contiguous; across lanes that are
	scratch       []T
	sums
}

// sum writes the pairs of sums of so many lanes.
func (y *summer[T]) sum(pairs []T, src Source[T], lanes int, scale T) {
	rows := patch[T]{src.Data, len(pairs) / 2, lanes, src.DepthStride, src.LaneStride}
	switch {
	case scale != 1:
		y.scaled(rows, scale)
	case src.LaneStride != 1:
		y.lanesApart(pairs, src, lanes)
		return
	case y.across.suits(&rows):
		y.scratch = grown(y.scratch, rows.n*2*y.across.lanes)
		clear(y.scratch)
		y.across.gather(rows.n, rows.x, rows.step, y.scratch)
		y.across.fold(y.scratch, pairs)
		return
	default:
		y.reset(rows.n)
		rows.across(y.sums)
	}
	for p, size := range y.size {
		pairs[2*p], pairs[2*p+1] = T(y.value[p]), T(size)
	}
}

// lanesApart sums lanes whose depths are contiguous, some depths at a time.
func (y *summer[T]) lanesApart(pairs []T, src Source[T], lanes int) {
	for p, n := 0, len(pairs)/2; p < n; {
		cols := n - p
		if y.along.width > 0 {
			cols = min(cols, y.along.width)
		}
		y.scratch = grown(y.scratch, 2*cols)
		clear(y.scratch)
		y.along.down(patch[T]{src.Data[p:], lanes, cols, src.LaneStride, 1}, ones[T](), y.scratch)
		for q, size := range y.scratch[cols:] {
			pairs[2*(p+q)], pairs[2*(p+q)+1] = y.scratch[q], size
		}
		p += cols
	}
}

// scaled sums what Pack multiplies and rounds.
func (y *summer[T]) scaled(b patch[T], scale T) {
	y.reset(b.n)
	for l := range b.cols {
		for p := range b.n {
			x := float64(T(scale * b.x[p*b.step+l*b.lane]))
			y.add(p, x, math.Abs(x))
		}
	}
}

// Damaged reports whether the panels of an operand do not agree with their
// checksums, as far as rounding lets it be seen, in the micro-panels of lanes
// l0 to l1. An operand without checksums is not damaged.
func Damaged[T elem.Float](o *Operand[T], l0, l1 int) bool {
	if o.Sums == nil {
		return false
	}
	width, depth := o.Packed.Width, o.Packed.Depth
	unsure := precisionOf[T]().gamma(float64(width)+2) + gamma64(float64(width)+2)
	var are sums
	for l := l0 / width * width; l < l1; l += width {
		for p := 0; p < depth; p += stripRows {
			n := min(stripRows, depth-p)
			are.reset(n)
			b := patch[T]{o.Packed.panel(l, p), n, width, width, 1}
			b.across(are)
			were := o.Sums.of(l, width, depth, p)
			for q, size := range are.size {
				bound := unsure * size
				if differ(are.value[q], float64(were[2*q]), bound) || differ(size, float64(were[2*q+1]), bound) {
					return true
				}
			}
		}
	}
	return false
}

// differ reports whether two sums differ by more than their bound. Of a checksum
// that is not finite nothing is known.
func differ(is, was, bound float64) bool {
	return !math.IsNaN(was) && !math.IsInf(was, 0) && !(math.Abs(is-was) <= bound)
}
