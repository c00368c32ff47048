package gemm

import (
	"math"

	"matmul/internal/elem"
)

// A precision is what bounds need to know of an element type.
type precision struct {
	u   float64 // unit roundoff
	eta float64 // smallest subnormal
	max float64 // largest finite value
}

func precisionOf[T elem.Float]() precision {
	if elem.Of[T]() == elem.Float32 {
		return precision{0x1p-24, math.SmallestNonzeroFloat32, math.MaxFloat32}
	}
	return precision{0x1p-53, math.SmallestNonzeroFloat64, math.MaxFloat64}
}

// gamma is Higham's γ(n) = n·u/(1−n·u), which bounds the relative error of n
// roundings. It is infinite where it would exceed 1: nothing can be said then.
func (p precision) gamma(n float64) float64 {
	nu := n * p.u
	if !(nu <= 0.5) {
		return math.Inf(1)
	}
	return nu / (1 - nu)
}

func gamma64(n float64) float64 { return precisionOf[float64]().gamma(n) }

// A sumBound bounds the difference between a sum of a row (or column) of C and
// what it must be by relative·g + absolute, where g is the sum of magnitudes,
// if g is at most most: then no step can have overflowed.
type sumBound struct{ relative, absolute, most float64 }

// below returns a bound for magnitudes of what was added up, instead of all: parts
// of sums over depths are no larger than the magnitudes of their elements, but for the
// rounding errors of the part and of its weights.
func (b sumBound) below() sumBound {
	b.relative /= (1 + b.relative) * (1 + b.relative)
	return b
}

// judge compares sums with what they must be. It is unsure where nothing is known:
// sums may have overflowed.
func (b sumBound) judge(is, must *sums) (wrong, unsure bool) {
	for i, size := range must.size {
		bound := b.relative*size + b.absolute
		if !(size <= b.most && bound <= math.MaxFloat64) {
			unsure = true
		} else if !(math.Abs(is.value[i]-must.value[i]) <= bound) {
			wrong = true
		}
	}
	return wrong, unsure
}

// sumBound returns the bound for sums of n elements of C over depth k.
//
// Relative errors, in the element type: k+2 of an element's own chain; at most
// n/4+64 of the sum of n elements of C, and as many of that of n elements of an
// operand at a depth, since four of them or more are added up before they are added
// to the rest (see strips.across), or 64 of a checksum, which is one lane after the
// other, and one for each 33 of them where checksums are added up; stripRows and
// a few of the sum over depths. Beyond these, sums are added up in float64, at
// most once for each third element. The size that the bound is multiplied
// by has errors of its own, below the same bound, and so has what is rounded
// here.
//
// Absolute errors: half of the smallest subnormal for each step of the n chains
// and of the sum over depths.
func (p precision) sumBound(n, k int) sumBound {
	N, K := float64(n), float64(k)
	relative := p.gamma(K+2+2*(N/4+64)+min(K, stripRows)+16) + gamma64((N+K)/3+64)
	return sumBound{
		relative: relative * (1 + 2*relative),
		absolute: p.eta * (N*(K+2) + 4*K + 16),
		most:     p.max / 4,
	}
}
