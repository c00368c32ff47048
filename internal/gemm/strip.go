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
// across adds to value and size, of n elements each, the sums across each row:
//
//	for p := range n {
//		for l := range width {
//			value[p] += x[p*step+l]
//			size[p] += |x[p*step+l]|
//		}
//	}
//
// and both does both, reading x once: value and size are down and downSize of weigh,
// across and acrossSize of across.
type strip[T elem.Float] struct {
	width  int
	weigh  func(n int, x []T, step int, w, wAbs, value, size []T)
	across func(n int, x []T, step int, value, size []T)
	both   func(n int, x []T, step int, w, wAbs, down, downSize, across, acrossSize []T)
}

// strips are strips of several widths, ascending. What is left of a row is summed by
// plain loops: all of it, if there is no strip.
type strips[T elem.Float] []strip[T]

// widest returns the widest strip that is no wider than a patch whose rows are
// contiguous, or nil.
func (s strips[T]) widest(b *patch[T]) *strip[T] {
	if b.lane != 1 {
		return nil
	}
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].width <= b.cols {
			return &s[i]
		}
	}
	return nil
}

// stripRows is the most rows whose weighted sums are rounded to the element type one
// after the other, and bandRows the most rows of C: what is longer is added up in float64.
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
func (s strips[T]) down(b patch[T], w, to pairs[T]) {
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

// across adds the sums across the rows of b to b.n sums. No more than a quarter as many
// of them may be added one after the other as there are elements in all.
func (s strips[T]) across(b patch[T], to pairs[T]) {
	for f := s.widest(&b); f != nil; f = s.widest(&b) {
		f.across(b.n, b.x, b.step, to.value, to.size)
		if b.cols == f.width {
			return
		}
		b = b.from(f.width)
	}
	b.across(to)
}

// both is down and across of the same patch.
func (s strips[T]) both(b patch[T], w, down, across pairs[T]) {
	for f := s.widest(&b); f != nil; f = s.widest(&b) {
		f.both(b.n, b.x, b.step, w.value, w.size, down.value, down.size, across.value, across.size)
		if b.cols == f.width {
			return
		}
		b, down = b.from(f.width), down.from(f.width)
	}
	b.weigh(w, down)
	b.across(across)
}

// across adds the sums across the rows of b.
func (b *patch[T]) across(to pairs[T]) {
	for p := range b.n {
		value, size := b.row(p)
		to.value[p] += T(value)
		to.size[p] += T(size)
	}
}

// row returns the sum of the p-th row, and that of its magnitudes.
func (b *patch[T]) row(p int) (value, size float64) {
	for l := range b.cols {
		x := float64(b.x[p*b.step+l*b.lane])
		value += x
		size += math.Abs(x)
	}
	return value, size
}
