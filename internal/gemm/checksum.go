package gemm

import (
	"math"
	"math/bits"

	"matmul/internal/elem"
)

// Sums are the checksums of an operand's panels: for each group of micro-panels,
// and each depth, the sum of its lanes and the sum of their magnitudes. With
// groups of G = [SumLanes](Width) lanes, lane l at depth p counts in
//
//	Sums[l/G*2*Depth + 2*p]  and  Sums[l/G*2*Depth + 2*p + 1]
//
// They are made from what is packed, and lie apart from the panels, so that a
// panel that is damaged later does not agree with them.
type Sums[T elem.Float] []T

// mostSumLanes is the most lanes that share a checksum, unless one micro-panel is
// wider. With more, checks would read less, and tiles, which are whole groups,
// be less even.
const mostSumLanes = 48

// SumLanes returns the lanes that share a checksum, in micro-panels of so many: a
// power of two of micro-panels. Tiles with checksums should cut no group.
func SumLanes(width int) int {
	return width << (bits.Len(uint(max(mostSumLanes/width, 1))) - 1)
}

// SumsLen returns the number of checksums that the panels of an operand have.
func SumsLen(lanes, depth, width int) int {
	return 2 * PanelLen(lanes, depth, SumLanes(width)) / SumLanes(width)
}

// of returns the pairs of sums of the group of lane l, from depth p on.
func (s Sums[T]) of(l, width, depth, p int) Sums[T] { return s[l/SumLanes(width)*2*depth+2*p:] }

// PackSums writes the checksums of what [Pack] writes with the same arguments,
// from the source. A range that starts inside a group goes on with its sums, so
// the parts of a group come in order. Disjoint ranges may be summed at the same
// time if they share no group.
func PackSums[T elem.Float](k *Kernel, dst Sums[T], to Panels[T], l0, l1, p0, p1 int, src Source[T], scale T) {
	checkPack(k, &to, l0, l1, p0, p1, &src)
	if len(dst) < SumsLen(to.Lanes, to.Depth, to.Width) {
		panic("gemm: checksums are fewer than their panels have")
	}
	if l0 == l1 || p0 == p1 {
		return
	}
	y := summer[T]{strips: &routinesOf[T](k).stripsB}
	for l, group := l0, SumLanes(to.Width); l < l1; l += group - l%group {
		for p := p0; p < p1; p += stripRows {
			n := min(stripRows, p1-p)
			part, lanes := Source[T]{src.from(l-l0, p-p0), src.LaneStride, src.DepthStride}, min(group-l%group, l1-l)
			pairs := dst.of(l, to.Width, to.Depth, p)[:2*n]
			if l%group == 0 {
				y.sum(pairs, part, lanes, scale)
			} else {
				y.sumMore(pairs, part, lanes, scale)
			}
		}
	}
}

// A summer sums the lanes of a source, at most stripRows depths at a time.
type summer[T elem.Float] struct {
	strips        *strips[T]
	scratch, more []T
	gathered[T]
}

// sumMore adds the sums of so many lanes to pairs.
func (y *summer[T]) sumMore(pairs []T, src Source[T], lanes int, scale T) {
	y.more = grown(y.more, len(pairs))
	y.sum(y.more, src, lanes, scale)
	for i, v := range y.more {
		pairs[i] += v
	}
}

// sum writes the pairs of sums of so many lanes.
func (y *summer[T]) sum(pairs []T, src Source[T], lanes int, scale T) {
	n := len(pairs) / 2
	if scale == 1 && src.LaneStride != 1 {
		y.lanesApart(pairs, src, lanes)
		return
	}
	y.reset(y.strips, n)
	if b := (patch[T]{src.Data, n, lanes, src.DepthStride, src.LaneStride}); scale != 1 {
		y.scaled(b, scale)
	} else if y.strips.across(b, &y.gathered, 0) {
		y.strips.fold(y.parts, pairs)
		return
	}
	y.strips.settle(&y.gathered)
	for p, size := range y.size {
		pairs[2*p], pairs[2*p+1] = T(y.value[p]), T(size)
	}
}

// sumCols is the most depths that lanesApart sums at a time, as wide as the widest
// strip.
const sumCols = 48

// lanesApart sums lanes whose depths are contiguous, some depths at a time.
func (y *summer[T]) lanesApart(pairs []T, src Source[T], lanes int) {
	n := len(pairs) / 2
	for p := 0; p < n; p += sumCols {
		cols := min(sumCols, n-p)
		y.scratch = grown(y.scratch, 2*cols)
		clear(y.scratch)
		y.strips.down(patch[T]{src.Data[p:], lanes, cols, src.LaneStride, 1}, ones[T](), y.scratch)
		to, sizes := pairs[2*p:2*(p+cols)], y.scratch[cols:]
		for q, value := range y.scratch[:cols] {
			to[2*q], to[2*q+1] = value, sizes[q]
		}
	}
}

// scaled sums what Pack multiplies and rounds.
func (y *summer[T]) scaled(b patch[T], scale T) {
	for l := range b.cols {
		for p := range b.n {
			x := float64(T(scale * b.x[p*b.step+l*b.lane]))
			y.add(p, x, math.Abs(x))
		}
	}
}

// Damaged reports whether the panels of an operand do not agree with their
// checksums, as far as rounding lets it be seen, in the groups of lanes l0 to
// l1. An operand without checksums is not damaged.
func Damaged[T elem.Float](o *Operand[T], l0, l1 int) bool {
	if o.Sums == nil {
		return false
	}
	width, depth := o.Packed.Width, o.Packed.Depth
	group := SumLanes(width)
	unsure := precisionOf[T]().gamma(float64(group)+2) + gamma64(float64(group)+2)
	var are sums
	for l := l0 / group * group; l < l1; l += group {
		for p := 0; p < depth; p += stripRows {
			n := min(stripRows, depth-p)
			are.reset(n)
			for q := l; q < min(l+group, o.Packed.Lanes); q += width {
				b := patch[T]{o.Packed.panel(q, p), n, width, width, 1}
				b.across(are)
			}
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
