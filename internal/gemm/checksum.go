package gemm

import (
	"math"
	"math/bits"

	"matmul/internal/elem"
)

// Sums are the checksums of an operand's panels: for each group of micro-panels,
// and each depth, the sum of its lanes and the sum of their magnitudes. With
// groups of G = [SumLanes](Width) lanes, N of them, and D = sumDepths, lane l at
// depth p counts in
//
//	Sums[(p/D*2*N + l/G)*D + p%D]  and  Sums[((p/D*2 + 1)*N + l/G)*D + p%D]
//
// so that sums of a k-block lie together, apart from those of magnitudes, which are
// rarely read.
// They are made from what is packed, and lie apart from the panels, so that a
// panel that is damaged later does not agree with them.
type Sums[T elem.Float] []T

// sumDepths is the depths whose checksums lie side by side.
const sumDepths = 64

// mostSumLanes is the most lanes that share a checksum, unless one micro-panel is
// wider. With more, checks would read less, and tiles, which are whole groups,
// be less even.
const mostSumLanes = 64

// SumLanes returns the lanes that share a checksum, in micro-panels of so many: a
// power of two of micro-panels. Tiles with checksums should cut no group.
func SumLanes(width int) int {
	return width << (bits.Len(uint(max(mostSumLanes/width, 1))) - 1)
}

// SumsLen returns the number of checksums that the panels of an operand have.
func SumsLen(lanes, depth, width int) int {
	rounded := (depth + sumDepths - 1) / sumDepths * sumDepths
	return 2 * PanelLen(lanes, rounded, SumLanes(width)) / SumLanes(width)
}

// at returns the checksums from the group of lane l of x and depth p on.
func (s Sums[T]) at(x *Panels[T], l, p int, o of) Sums[T] {
	group := SumLanes(x.Width)
	groups, first := (x.Lanes+group-1)/group, p/sumDepths*2
	if o == magnitudes {
		first++
	}
	return s[(first*groups+l/group)*sumDepths+p%sumDepths:]
}

// pairs are the sums of some lanes at each of some depths, and those of their magnitudes.
type pairs[T elem.Float] struct{ value, size []T }

// sumsFrom returns how many of n depths from p on have their checksums side by side.
func sumsFrom(p, n int) int { return min(n, sumDepths-p%sumDepths) }

// PackSummed is [Pack], and writes the checksums of what it writes, from the source.
// Each checksum is written once, when its group is complete, so that whoever reads
// them while the same lanes are packed again sees what was there. A range that starts
// inside a group goes on with the sums that the last call with ws has begun: of the
// lanes before it, at the same depths. Disjoint ranges may be packed at the same time
// if they share no group.
func PackSummed[T elem.Float](k *Kernel, ws *Workspace[T], dst Panels[T], sums Sums[T], l0, l1, p0, p1 int, src Source[T], scale T) {
	checkPack(k, &dst, l0, l1, p0, p1, &src)
	group := SumLanes(dst.Width)
	if len(sums) < SumsLen(dst.Lanes, dst.Depth, dst.Width) {
		panic("gemm: checksums are fewer than their panels have")
	}
	if begun := len(ws.sums.value); l0%group != 0 && begun != p1-p0 {
		panic("gemm: sums of other depths were begun")
	}
	depths := sumDepths // in L1 when they are read again
	if src.LaneStride == 1 {
		depths = packRowsDepth
	}
	// Nothing of two words is copied in these loops: a load of what was just stored in
	// parts waits for all stores before it, which are those to the panels.
	var acc pairs[T]
	for l, end := l0, 0; l < l1; l = end {
		end = min(l-l%group+group, l1)
		if l%group == 0 {
			ws.sums.value, ws.sums.size = cleared(ws.sums.value, p1-p0), cleared(ws.sums.size, p1-p0)
		}
		for p, n := p0, 0; p < p1; p += n {
			n = sumsFrom(p, min(depths, p1-p))
			acc.value, acc.size = ws.sums.value[p-p0:][:n], ws.sums.size[p-p0:][:n]
			packSum(k, &dst, l, end, p, &src, l-l0, p-p0, scale, &acc)
			if end%group == 0 || end == dst.Lanes {
				copy(sums.at(&dst, l, p, values), acc.value)
				copy(sums.at(&dst, l, p, magnitudes), acc.size)
			}
		}
	}
}

// packSum packs lanes l to end, of one group, at depths from p on, which are lanes from
// l0 on and depths from p0 on of the source, and adds to the sums of those depths: whole micro-panels in one go, if there is a routine for it.
func packSum[T elem.Float](k *Kernel, dst *Panels[T], l, end, p int, src *Source[T], l0, p0 int, scale T, to *pairs[T]) {
	r, n, w, q := routinesOf[T](k), len(to.value), dst.Width, l
	lanes := w
	if src.LaneStride == 1 {
		lanes = end - l
	}
	var together func(n int, dst, src []T, stride int, value, size []T)
	var stride, extent int
	switch {
	case scale != 1:
	case src.LaneStride == 1 && w == k.NR:
		together, stride, extent = r.packer.sumRowsB, src.DepthStride, (n-1)*src.DepthStride+w
	case src.LaneStride != 1 && w == r.packer.group && n%r.packer.step == 0:
		together, stride, extent = r.packer.sumTranspose, src.LaneStride, (w-1)*src.LaneStride+n
	}
	for ; together != nil && q+w <= end; q += w {
		together(n, dst.panel(q, p)[:n*w], src.from(q-l+l0, p0)[:extent], stride, to.value, to.size)
	}
	for next := q; q < end; q = next {
		next = min(q+lanes, end)
		piece := Source[T]{src.from(q-l+l0, p0), src.LaneStride, src.DepthStride}
		sumSource(r.strips, to, &piece, next-q, scale)
		Pack(k, *dst, q, next, p, p+n, piece, scale)
	}
}

// sumSource adds the sums of so many lanes of a source.
func sumSource[T elem.Float](s strips[T], to *pairs[T], src *Source[T], lanes int, scale T) {
	b := patch[T]{src.Data, len(to.value), lanes, src.DepthStride, src.LaneStride}
	if scale != 1 {
		b.scaled(to, scale)
		return
	}
	s.across(&b, ones[T](), to.value, values)
	s.across(&b, ones[T](), to.size, magnitudes)
}

// scaled adds the rows of what Pack makes of b: multiplied, and rounded.
func (b *patch[T]) scaled(to *pairs[T], scale T) {
	for l := range b.cols {
		for p := range b.n {
			x := T(scale * b.x[p*b.step+l*b.lane])
			to.value[p] += x
			to.size[p] += part(x, magnitudes)
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
	width := o.Packed.Width
	group := SumLanes(width)
	unsure := precisionOf[T]().gamma(float64(group)+2) + gamma64(float64(group)+2)
	for l := l0 / group * group; l < l1; l += group {
		for p := range o.Packed.Depth {
			value, size := 0.0, 0.0
			for q := l; q < min(l+group, o.Packed.Lanes); q += width {
				b := patch[T]{o.Packed.panel(q, p), 1, width, width, 1}
				value += b.row(0, 0, nil, values)
				size += b.row(0, 0, nil, magnitudes)
			}
			was := func(kind of) float64 { return float64(o.Sums.at(&o.Packed, l, p, kind)[0]) }
			if bound := unsure * size; differ(value, was(values), bound) || differ(size, was(magnitudes), bound) {
				return true
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
