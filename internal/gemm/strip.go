package gemm

import (
	"math"

	"matmul/internal/elem"
)

// A strip sums rows of width contiguous elements by vector instructions, in the
// element type and in any order: the elements themselves or their magnitudes, as bits
// says, which are set where those of an element count (see [of.bits]).
//
// weigh adds to sum, of width elements, the sums down n rows:
//
//	for p := range n {
//		for l := range width {
//			sum[l] += w[p] * (x[p*step+l] & bits)
//		}
//	}
//
// which it adds up first, and across adds to sum, of n elements, the sums across each
// row:
//
//	for p := range n {
//		for l := range width {
//			sum[p] += w[l] * (x[p*step+l] & bits)
//		}
//	}
type strip[T elem.Float] struct {
	width  int
	weigh  func(n int, x []T, step int, w, sum []T, bits uint64)
	across func(n int, x []T, step int, w, sum []T, bits uint64)
}

// of says what is summed of elements.
type of bool

const (
	values     of = false
	magnitudes of = true
)

// bits returns the bits of eight bytes of elements that count.
func (o of) bits(t elem.Type) uint64 {
	switch {
	case o == values:
		return math.MaxUint64
	case t == elem.Float32:
		return math.MaxInt32<<32 | math.MaxInt32
	default:
		return math.MaxInt64
	}
}

// strips are strips of several widths, ascending. What is left of a row is summed by
// plain loops: all of it, if there is no strip.
type strips[T elem.Float] []strip[T]

// widest returns the widest strip of at most cols, or nil.
func (s strips[T]) widest(cols int) *strip[T] {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].width <= cols {
			return &s[i]
		}
	}
	return nil
}

// stripRows is the most rows whose weighted sums are rounded to the element type one
// after the other: what is longer is added up in float64.
const stripRows = 512

// A patch is a part of a matrix: its element (p, l), of n rows and cols columns,
// at x[p*step+l*lane].
type patch[T elem.Float] struct {
	x          []T
	n, cols    int
	step, lane int
}

// transposed returns the patch with its columns as rows.
func (b *patch[T]) transposed() *patch[T] { return &patch[T]{b.x, b.cols, b.n, b.lane, b.step} }

// sums are sums, and sums of magnitudes: of what was added up, or of all elements that
// it is the sum of.
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

// add adds to the i-th sum, whose elements have a magnitude of at least |v|.
func (s *sums) add(i int, v float64) {
	s.value[i] += v
	s.size[i] += math.Abs(v)
}

// flush moves sums of elements to sums of float64.
func flush[T elem.Float](acc []T, to sums) {
	for l, v := range acc {
		to.add(l, float64(v))
	}
	clear(acc)
}

// cleared returns s with length n, zeroed.
func cleared[E any](s []E, n int) []E {
	s = grown(s, n)
	clear(s)
	return s
}

// ones are weights of 1 for as many rows as are summed at once.
func ones[T elem.Float]() []T {
	if w, ok := any(ones64).([]T); ok {
		return w
	}
	return any(ones32).([]T)
}

var ones64, ones32 = newOnes[float64](), newOnes[float32]()

func newOnes[T elem.Float]() []T {
	w := make([]T, stripRows)
	for i := range w {
		w[i] = 1
	}
	return w
}

// down adds the sums down b, each row times its weight, to b.cols sums: what weigh
// does, for a patch of any width.
func (s strips[T]) down(b *patch[T], w, to []T, o of) {
	if b.lane == 1 {
		s.downRows(b, w, to, o)
	} else {
		s.acrossRows(b.transposed(), w, to, o)
	}
}

// across adds the sums across the rows of b, each column times its weight, to b.n sums.
// No more than a quarter as many of them may be added one after the other as there are
// elements in all.
func (s strips[T]) across(b *patch[T], w, to []T, o of) {
	if b.lane == 1 {
		s.acrossRows(b, w, to, o)
	} else {
		s.downRows(b.transposed(), w, to, o)
	}
}

// downRows is down of a patch whose rows are contiguous.
func (s strips[T]) downRows(b *patch[T], w, to []T, o of) {
	at := 0
	for f := s.widest(b.cols); f != nil; f = s.widest(b.cols - at) {
		f.weigh(b.n, b.x[at:], b.step, w, to[at:], o.bits(elem.Of[T]()))
		if at += f.width; at == b.cols {
			return
		}
	}
	b.weigh(at, w, to, o)
}

// weigh is the weigh of a strip of the columns from the at-th on, which are contiguous.
func (b *patch[T]) weigh(at int, w, to []T, o of) {
	for p := range b.n {
		for l, x := range b.x[p*b.step:][at:b.cols] {
			to[at+l] += T(w[p] * part(x, o))
		}
	}
}

// part returns what is summed of x.
func part[T elem.Float](x T, o of) T {
	if o == magnitudes {
		return T(math.Abs(float64(x)))
	}
	return x
}

// acrossRows is across of a patch whose rows are contiguous.
func (s strips[T]) acrossRows(b *patch[T], w, to []T, o of) {
	at := 0
	for f := s.widest(b.cols); f != nil; f = s.widest(b.cols - at) {
		f.across(b.n, b.x[at:], b.step, w[at:], to, o.bits(elem.Of[T]()))
		if at += f.width; at == b.cols {
			return
		}
	}
	b.across(at, w, to, o)
}

// across is the across of a strip of the columns from the at-th on, which are contiguous.
func (b *patch[T]) across(at int, w, to []T, o of) {
	for p := range b.n {
		sum := 0.0
		for l, x := range b.x[p*b.step:][at:b.cols] {
			sum += float64(part(x, o)) * float64(w[at+l])
		}
		to[p] += T(sum)
	}
}
