package gemm

import (
	"math"

	"matmul/internal/elem"
)

// A strip sums rows of width contiguous elements by vector instructions, in the
// element type and in any order.
//
// weigh adds to value and size, of width elements each, the sums down n rows:
//
//	for p := range n {
//		for l := range width {
//			value[l] += w[p] * x[p*step+l]
//			size[l] += wAbs[p] * |x[p*step+l]|
//		}
//	}
//
// and gather adds to dst, of n·2·lanes elements, parts of the sums across each
// row, one for each lane of a vector: [strips.settle] adds them up.
//
//	for p := range n {
//		for l := range width {
//			dst[p*2*lanes+l%lanes] += x[p*step+l]
//			dst[p*2*lanes+lanes+l%lanes] += |x[p*step+l]|
//		}
//	}
type strip[T elem.Float] struct {
	width  int
	weigh  func(n int, x []T, step int, w, wAbs, value, size []T)
	gather func(n int, x []T, step int, dst []T)
}

// strips are strips of several widths, ascending, that have vectors of as many
// lanes. What is left of a row is summed by plain loops: all of it, if there is
// no strip. fold adds up what gather makes of n rows, a positive multiple of foldRows:
//
//	for p := range n {
//		value[p], size[p] = 0, 0
//		for l := range lanes {
//			value[p] += parts[p*2*lanes+l]
//			size[p] += parts[p*2*lanes+lanes+l]
//		}
//	}
type strips[T elem.Float] struct {
	lanes int
	of    []strip[T]
	fold  func(n int, parts, value, size []T)
}

const foldRows = 8

// widest returns the widest strip that is no wider than a patch whose rows are
// contiguous, or nil.
func (s *strips[T]) widest(b *patch[T]) *strip[T] {
	if b.lane != 1 {
		return nil
	}
	for i := len(s.of) - 1; i >= 0; i-- {
		if s.of[i].width <= b.cols {
			return &s.of[i]
		}
	}
	return nil
}

// stripRows is the most rows whose sums are rounded to the element type one
// after the other: what is longer is added up in float64. bandRows of them are
// done across a block before the next, so that their sums stay in L1.
const (
	stripRows = 512
	bandRows  = 64
)

// A patch is a part of a matrix: its element (p, l), of n rows and cols columns,
// at x[p*step+l*lane].
type patch[T elem.Float] struct {
	x          []T
	n, cols    int
	step, lane int
}

// rows returns rows p0 to p1 of the patch.
func (b patch[T]) rows(p0, p1 int) patch[T] {
	b.x, b.n = b.x[p0*b.step:], p1-p0
	return b
}

// from returns the columns of the patch from the l-th on, of which there is one.
func (b patch[T]) from(l int) patch[T] {
	b.x, b.cols = b.x[l*b.lane:], b.cols-l
	return b
}

// sums are sums of elements, and those of their magnitudes, which bound the
// rounding errors of the former.
type sums struct{ value, size []float64 }

// reset makes room for n sums and clears them.
func (s *sums) reset(n int) {
	s.value, s.size = grown(s.value, n), grown(s.size, n)
	clear(s.value)
	clear(s.size)
}

// grown returns s with length n; what is in it may be lost.
func grown[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// from returns the sums from the i-th on.
func (s *sums) from(i int) sums { return sums{s.value[i:], s.size[i:]} }

// add adds to the i-th sum.
func (s *sums) add(i int, value, size float64) {
	s.value[i] += value
	s.size[i] += size
}

// pairs are numbers and magnitudes in the element type: sums, or weights that the rows
// of a patch are multiplied by.
type pairs[T elem.Float] struct{ value, size []T }

// from returns the pairs from the i-th on.
func (x pairs[T]) from(i int) pairs[T] { return pairs[T]{x.value[i:], x.size[i:]} }

// part returns n pairs from the i-th on.
func (x pairs[T]) part(i, n int) pairs[T] { return pairs[T]{x.value[i:][:n], x.size[i:][:n]} }

// set takes the values of others, or the first of them.
func (x pairs[T]) set(y pairs[T]) {
	copy(x.value, y.value)
	copy(x.size, y.size)
}

// cleared returns x with n pairs, which are zero.
func (x pairs[T]) cleared(n int) pairs[T] {
	x.value, x.size = grown(x.value, n), grown(x.size, n)
	clear(x.value)
	clear(x.size)
	return x
}

// ones are weights of 1 for as many rows as are summed at once.
func ones[T elem.Float]() pairs[T] {
	if w, ok := any(&ones64).(*pairs[T]); ok {
		return *w
	}
	return *any(&ones32).(*pairs[T])
}

var ones64, ones32 = newOnes[float64](), newOnes[float32]()

func newOnes[T elem.Float]() pairs[T] {
	w := make([]T, stripRows)
	for i := range w {
		w[i] = 1
	}
	return pairs[T]{w, w}
}

// down adds the sums down b, each row times its weight, to b.cols sums: what weigh
// does, for a patch of any width.
func (s *strips[T]) down(b patch[T], w, to pairs[T]) {
	for f := s.widest(&b); f != nil; f = s.widest(&b) {
		f.weigh(b.n, b.x, b.step, w.value, w.size, to.value, to.size)
		if b.cols == f.width {
			return
		}
		b, to = b.from(f.width), to.from(f.width)
	}
	b.weigh(w, to)
}

// flush moves what down has added up to sums of float64.
func flush[T elem.Float](acc pairs[T], to sums) {
	values, sizes := to.value[:len(acc.value)], to.size[:len(acc.size)]
	for l, v := range acc.value {
		values[l] += float64(v)
	}
	for l, v := range acc.size {
		sizes[l] += float64(v)
	}
	clear(acc.value)
	clear(acc.size)
}

// weigh is the weigh of a strip as wide as the patch.
func (b *patch[T]) weigh(w, to pairs[T]) {
	value, size := to.value[:b.cols], to.size[:b.cols]
	if b.lane != 1 { // rows lie far apart, or columns do
		for l := range b.cols {
			for p := range b.n {
				x := b.x[p*b.step+l*b.lane]
				value[l] += T(w.value[p] * x)
				size[l] += T(w.size[p] * magnitude(x))
			}
		}
		return
	}
	for p := range b.n {
		v, a := w.value[p], w.size[p]
		for l, x := range b.x[p*b.step:][:b.cols] {
			value[l] += T(v * x)
			size[l] += T(a * magnitude(x))
		}
	}
}

func magnitude[T elem.Float](x T) T { return T(math.Abs(float64(x))) }

// gathered are the sums across rows that a strip has begun. They are of the
// element type: no more than a quarter as many elements of a row may be added
// one after the other as the row has.
type gathered[T elem.Float] struct {
	parts []T      // of rows rounded up to foldRows
	whole pairs[T] // sums that folded returns
	sums           // what is added up
}

// reset begins n sums.
func (g *gathered[T]) reset(s *strips[T], n int) {
	g.resetParts(s, n)
	g.sums.reset(n)
}

// resetParts begins n sums of parts alone.
func (g *gathered[T]) resetParts(s *strips[T], n int) {
	g.parts = grown(g.parts, (n+foldRows-1)/foldRows*foldRows*2*s.lanes)
	clear(g.parts)
}

// across adds the rows of b, from sum i on.
func (s *strips[T]) across(b patch[T], g *gathered[T], i int) {
	for f := s.widest(&b); f != nil; f = s.widest(&b) {
		f.gather(b.n, b.x, b.step, g.parts[i*2*s.lanes:])
		if b.cols == f.width {
			return
		}
		b = b.from(f.width)
	}
	b.across(g.sums.from(i))
}

// across adds the rows of b, and loses less than a strip does.
func (b *patch[T]) across(to sums) {
	for p := range b.n {
		value, size := 0.0, 0.0
		for l := range b.cols {
			x := float64(b.x[p*b.step+l*b.lane])
			value += x
			size += math.Abs(x)
		}
		to.add(p, value, size)
	}
}

// settle adds up what gather has left.
func (s *strips[T]) settle(g *gathered[T]) {
	if s.lanes == 0 {
		return
	}
	flush(s.folded(g).part(0, len(g.value)), g.sums)
}

// folded adds up the parts of sums, and clears them.
func (s *strips[T]) folded(g *gathered[T]) pairs[T] {
	n := len(g.parts) / (2 * s.lanes)
	g.whole = pairs[T]{grown(g.whole.value, n), grown(g.whole.size, n)}
	if n > 0 {
		s.fold(n, g.parts, g.whole.value, g.whole.size)
	}
	clear(g.parts)
	return g.whole
}
