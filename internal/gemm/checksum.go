package gemm

import (
	"math"
	"math/bits"

	"matmul/internal/elem"
)

// Sums are the checksums of B's panels: for each group of micro-panels, and each depth,
// the sum of its lanes. With groups of G = [SumLanes](Width) lanes, N of them, and
// D = SumDepths, lane l at depth p counts in
//
//	Sums[(p/D*N + l/G)*D + p%D]
//
// so that those of a k-block lie together. They are made from what is packed, and lie
// apart from the panels, so that a panel that is damaged later does not agree with
// them.
type Sums[T elem.Float] []T

// SumDepths is the depths whose checksums lie side by side, and those that share a
// digest. Pieces that are packed are best whole multiples of it.
const SumDepths = 64

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
	return PanelLen(lanes, digestsOf(depth)*SumDepths, SumLanes(width)) / SumLanes(width)
}

// CheckBytes returns the bytes that the checksums of an operand's panels take: the
// digests of A, and the sums of B.
func CheckBytes(lanes, depth, width int, t elem.Type) (digests, sums int64) {
	return 8 * int64(DigestsLen(lanes, depth, width)), int64(t.Size()) * int64(SumsLen(lanes, depth, width))
}

// at returns the checksums from the group of lane l of x and depth p on.
func (s Sums[T]) at(x *Panels[T], l, p int) Sums[T] {
	group := SumLanes(x.Width)
	return s[(p/SumDepths*((x.Lanes+group-1)/group)+l/group)*SumDepths+p%SumDepths:]
}

// sumsFrom returns how many of n depths from p on have their checksums side by side.
func sumsFrom(p, n int) int { return min(n, SumDepths-p%SumDepths) }

// PackChecked is [Pack], and makes the checksums of what it writes that dst has room
// for: digests, or sums. Those of a range are there when it is packed, if it begins and
// ends where they do; ranges that cut some follow one another, in calls with the same
// ws. Disjoint ranges may be packed at the same time if they share no checksum.
func PackChecked[T elem.Float](k *Kernel, ws *Workspace[T], dst *Operand[T], l0, l1, p0, p1 int, src Source[T], scale T) {
	checkPack(k, &dst.Packed, l0, l1, p0, p1, &src)
	dst.checkSums()
	switch {
	case l0 == l1 || p0 == p1:
	case dst.Digests != nil:
		packDigested(k, ws, dst, l0, l1, p0, p1, &src, scale)
	case dst.Sums != nil:
		packSummed(k, ws, dst, l0, l1, p0, p1, &src, scale)
	default:
		Pack(k, dst.Packed, l0, l1, p0, p1, src, scale)
	}
}

// packSummed is [Pack], and writes the sums of what it writes, from the source.
// Each is written once, when its group is complete, so that whoever reads them while
// the same lanes are packed again sees what was there. A range that starts inside a
// group goes on with the sums that the last call with ws has begun: of the lanes before
// it, at the same depths.
func packSummed[T elem.Float](k *Kernel, ws *Workspace[T], o *Operand[T], l0, l1, p0, p1 int, src *Source[T], scale T) {
	dst, group := &o.Packed, SumLanes(o.Packed.Width)
	if begun := len(ws.sums); l0%group != 0 && begun != p1-p0 {
		panic("gemm: sums of other depths were begun")
	}
	if scale != 1 {
		panic("gemm: there are no sums of what is multiplied")
	}
	depths := SumDepths // in L1 when they are read again
	if src.LaneStride == 1 {
		depths = packRowsDepth
	}
	for l, end := l0, 0; l < l1; l = end {
		end = min(l-l%group+group, l1)
		if l%group == 0 {
			ws.sums = cleared(ws.sums, p1-p0)
		}
		for p, n := p0, 0; p < p1; p += n {
			n = sumsFrom(p, min(depths, p1-p))
			sums := ws.sums[p-p0:][:n]
			packSum(k, dst, l, end, p, src, l-l0, p-p0, sums)
			if end%group == 0 || end == dst.Lanes {
				copy(o.Sums.at(dst, l, p), sums)
			}
		}
	}
}

// packSum packs lanes l to end, of one group, at depths from p on, which are lanes from
// l0 on and depths from p0 on of the source, and adds to the sums of those depths: whole
// micro-panels in one go, if there is a routine for it.
func packSum[T elem.Float](k *Kernel, dst *Panels[T], l, end, p int, src *Source[T], l0, p0 int, to []T) {
	r, n, w, q := routinesOf[T](k), len(to), dst.Width, l
	together := r.packer.sumRowsB
	if src.LaneStride != 1 || w != k.NR {
		together = nil
	}
	for ; together != nil && q+w <= end; q += w {
		together(n, dst.panel(q, p)[:n*w], src.from(q-l+l0, p0)[:(n-1)*src.DepthStride+w], src.DepthStride, to)
	}
	lanes := w
	if src.LaneStride == 1 {
		lanes = end - l
	}
	for next := q; q < end; q = next {
		next = min(q+lanes, end)
		piece := Source[T]{src.from(q-l+l0, p0), src.LaneStride, src.DepthStride}
		r.strips.across(&patch[T]{piece.Data, n, next - q, piece.DepthStride, piece.LaneStride}, ones[T](), to, values)
		Pack(k, *dst, q, next, p, p+n, piece, 1)
	}
}

// Damaged reports whether the panels of an operand do not agree with their checksums,
// in the micro-panels, or the groups of them that share sums, of lanes l0 to l1: with sums,
// as far as rounding lets it be seen. An operand without checksums is not damaged.
func Damaged[T elem.Float](o *Operand[T], l0, l1 int) bool {
	switch {
	case o.Digests != nil:
		return o.digestsDiffer(l0, l1)
	case o.Sums != nil:
		return o.sumsDiffer(l0, l1)
	}
	return false
}

func (o *Operand[T]) digestsDiffer(l0, l1 int) bool {
	x := &o.Packed
	l0 -= l0 % x.Width
	is := make([]uint64, l1-l0)
	for l := l0; l < l1; l += x.Width {
		addBits(is[l-l0:], &patch[T]{x.panel(l, 0), x.Depth, min(x.Width, l1-l), x.Width, 1}, 1)
	}
	return !o.agree(is, l0)
}

func (o *Operand[T]) sumsDiffer(l0, l1 int) bool {
	const down = 0x1p-64 // so that nothing overflows
	x := &o.Packed
	group := SumLanes(x.Width)
	unsure, least := precisionOf[T]().gamma(float64(group)+2)+gamma64(float64(group)+2), float64(group)*math.SmallestNonzeroFloat64
	for l := l0 / group * group; l < l1; l += group {
		for p := range x.Depth {
			was := float64(o.Sums.at(x, l, p)[0])
			if math.IsNaN(was) || math.IsInf(was, 0) {
				continue // nothing is known
			}
			is, size := 0.0, 0.0
			for q := l; q < min(l+group, x.Lanes); q += x.Width {
				for _, v := range x.panel(q, p)[:x.Width] {
					is += down * float64(v)
					size += down * math.Abs(float64(v))
				}
			}
			if off := math.Abs(is - down*was); !(off <= unsure*size+least && off <= math.MaxFloat64) {
				return true
			}
		}
	}
	return false
}
