package gemm

import (
	"math"

	"matmul/internal/elem"
)

// Digests are the checksums of A's panels: for each lane, and each SumDepths depths,
// the sum of the bits of its elements, as integers of their size, without NaNs. They
// lie as the elements of panels do that have one for so many depths:
//
//	Digests[((l/Width)*N + p/SumDepths)*Width + l%Width]
//
// counts lane l at depth p, where N is Depth by SumDepths, rounded up. The lower bits, as
// many as an element has, say something. So digests are exact, any one bit that changes
// in the panels shows, and whoever reads a micro-panel anyway makes them by an addition.
// They are made from what is packed, and lie apart from the panels.
type Digests []uint64

// DigestsLen returns the number of digests that the panels of an operand have.
func DigestsLen(lanes, depth, width int) int { return PanelLen(lanes, digestsOf(depth), width) }

// digestsOf returns the number of digests of a lane.
func digestsOf(depth int) int { return (depth + SumDepths - 1) / SumDepths }

// packDigested is [Pack], and writes the digests of what it writes, from the source.
// Each is written once, when its depths are complete, so that whoever reads them while
// the same lanes are packed again sees what was there. A range that starts inside
// SumDepths depths goes on with the digests that the last call with ws has begun: of
// the same lanes, at the depths before.
func packDigested[T elem.Float](k *Kernel, ws *Workspace[T], o *Operand[T], l0, l1, p0, p1 int, src *Source[T], scale T) {
	if begun := len(ws.digests); p0%SumDepths != 0 && begun != l1-l0 {
		panic("gemm: digests of other lanes were begun")
	}
	ws.digests = grown(ws.digests, l1-l0)
	r, lanes, depths := routinesOf[T](k), k.MR, packDepth // in L1 when they are read again
	if src.LaneStride == 1 {
		lanes, depths = l1-l0, SumDepths
	}
	for l := l0; l < l1; l += lanes {
		end := min(l+lanes, l1)
		begun := ws.digests[l-l0 : end-l0]
		for p, next := p0, 0; p < p1; p = next {
			next = min(p-p%SumDepths+depths, p1)
			for q, n := p, 0; q < next; q += n {
				n = sumsFrom(q, next-q)
				if q%SumDepths == 0 {
					clear(begun)
				}
				r.digester.add(ws, begun, &Source[T]{src.from(l-l0, q-p0), src.LaneStride, src.DepthStride}, k.MR, n, scale)
				if (q+n)%SumDepths == 0 || q+n == o.Packed.Depth {
					o.putDigests(begun, l, q)
				}
			}
			Pack(k, o.Packed, l, end, p, next, Source[T]{src.from(l-l0, p-p0), src.LaneStride, src.DepthStride}, scale)
		}
	}
}

// putDigests writes the digests of lanes from l on, of the depths with the p-th.
func (o *Operand[T]) putDigests(d []uint64, l, p int) {
	w, n := o.Packed.Width, digestsOf(o.Packed.Depth)
	for at := (l/w*n + p/SumDepths) * w; len(d) > 0; at += n * w {
		d = d[copy(o.Digests[at:][:w], d):]
	}
}

// A digester are the routines that make digests: of n lanes of SumDepths elements, step
// apart,
//
//	for l := range n {
//		for p := range SumDepths {
//			digest[l] += bits(scale * x[l*step+p])
//		}
//	}
//
// and of n rows of MR lanes, step apart, with their weighted sums:
//
//	for p := range n {
//		for l := range MR {
//			sum[l] += w[p] * x[p*step+l]
//			digest[l] += bits(x[p*step+l])
//		}
//	}
//
// of which sums are added up first. Both may be nil.
type digester[T elem.Float] struct {
	lanes func(n int, x []T, step int, scale T, digest []uint64)
	rows  func(n int, x []T, step int, w, sum []T, digest []uint64)
}

// add adds to the digests of some lanes those of n depths of a source: of what Pack
// makes of it.
func (d *digester[T]) add(ws *Workspace[T], to []uint64, src *Source[T], mr, n int, scale T) {
	if d.lanes != nil && src.DepthStride == 1 && n == SumDepths {
		d.lanes(len(to), src.Data[:(len(to)-1)*src.LaneStride+n], src.LaneStride, scale, to)
		return
	}
	l := 0
	if d.rows != nil && src.LaneStride == 1 && scale == 1 {
		for ws.unread = grown(ws.unread, mr); l+mr <= len(to); l += mr {
			d.rows(n, src.Data[l:], src.DepthStride, ones[T](), ws.unread, to[l:])
		}
	}
	addBits(to[l:], &patch[T]{src.from(l, 0), n, len(to) - l, src.DepthStride, src.LaneStride}, scale)
}

// addBits adds the digests of the columns of b, times scale.
func addBits[T elem.Float](digest []uint64, b *patch[T], scale T) {
	single := elem.Of[T]() == elem.Float32
	for p := range b.n {
		for l := range b.cols {
			switch x := T(scale * b.x[p*b.step+l*b.lane]); {
			case x != x: // which NaN it is says nothing about C, and depends on who copied it
			case single:
				digest[l] += uint64(math.Float32bits(float32(x)))
			default:
				digest[l] += math.Float64bits(float64(x))
			}
		}
	}
}

// weighDigested is strips.down of a part of a micro-panel of A, whose lanes it adds to
// their digests.
func (x *macro[T]) weighDigested(a *patch[T], w, to []T, digest []uint64) {
	if x.digester.rows != nil && a.cols == x.mr {
		x.digester.rows(a.n, a.x, a.step, w, to, digest)
		return
	}
	x.strips.down(a, w, to, values)
	addBits(digest, a, 1)
}

// agree reports whether the digests of lanes from l on, the first of a micro-panel, of all
// depths, are those that were made when they were packed. They are overwritten.
func (o *Operand[T]) agree(is []uint64, l int) bool {
	w, n, all := o.Packed.Width, digestsOf(o.Packed.Depth), uint64(0)
	for was := o.Digests[l*n:]; len(is) > 0; was = was[n*w:] {
		lanes := is[:min(w, len(is))]
		for p := range n {
			for i, d := range was[p*w:][:len(lanes)] {
				lanes[i] -= d
			}
		}
		for _, d := range lanes {
			all |= d
		}
		is = is[len(lanes):]
	}
	return all<<(64-8*elem.Of[T]().Size()) == 0
}
