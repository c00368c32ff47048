package verify

import (
	"math"

	"matmul/internal/elem"
)

// A precision is what the bounds need to know of an element type.
type precision struct {
	t   elem.Type
	u   float64 // unit roundoff
	eta float64 // smallest subnormal
	max float64 // largest finite value
}

func precisionOf(t elem.Type) precision {
	if t == elem.Float32 {
		return precision{t, 0x1p-24, math.SmallestNonzeroFloat32, math.MaxFloat32}
	}
	return precision{t, 0x1p-53, math.SmallestNonzeroFloat64, math.MaxFloat64}
}

// round rounds to the type once. A product of two float32 is exact in
// float64, so round(x*y) of two such values is their product in float32.
func (p precision) round(v float64) float64 {
	if p.t == elem.Float32 {
		return float64(float32(v))
	}
	return v
}

// gamma is Higham's γ(n) = n·u/(1−n·u), which bounds the relative error of n
// roundings. It is infinite where it would exceed 1: nothing can be said then.
func gamma(n, u float64) float64 {
	nu := n * u
	if !(nu <= 0.5) {
		return math.Inf(1)
	}
	return nu / (1 - nu)
}

// elementBound bounds |C − C_gonum| of one element, where g is the element of
// |α||A||B| + |β||C0| and maxB the largest |b| in its column. Each side makes
// at most k+1 relative errors per term (γ(k+2) leaves room for the rounding
// of g itself), and each rounding may lose another η/2 to underflow: k+1 in
// C's chain, and k in round(α·a), which b then multiplies.
func (j *job) elementBound(g, maxB float64) float64 {
	k := float64(j.k) + 2
	return 2*gamma(k, j.prec.u)*g + k*j.prec.eta*(1+math.Abs(j.alpha)+maxB)
}

// rowBound returns the bound on |Cx − αA(Bx) − βC0x| of one row, x ∈ {±1}ⁿ,
// evaluated in float64, where g is the row of |α||A|(|B|1) + |β||C0|1 and
// sumB is the sum of all |b|. The underflow of a whole row is that of its n
// elements; sumB is what the b sum to under round(α·a), and never more than
// the n·k·max|b| of n element bounds.
func (j *job) rowBound(sumB float64) func(g float64) float64 {
	n, k := float64(j.n), float64(j.k)
	relative := gamma(2*n+2*k+16, 0x1p-53) + gamma(k+2, j.prec.u)
	underflow := j.prec.eta * ((k+2)*n*(1+math.Abs(j.alpha)) + sumB)
	return func(g float64) float64 { return relative*g + underflow }
}

// judges reports whether a bound over g says anything. If not, some step of
// the definition may have overflowed, and C must be compared with it: every
// partial sum is at most g·(1+γ), and γ is at most 1.
func (p precision) judges(bound, g float64) bool {
	return bound <= math.MaxFloat64 && g <= p.max/2
}

// overflows reports whether the definition multiplies b by a value that is
// not finite: g does not show it where b is zero or tiny.
func (j *job) overflows(absA float64) bool {
	return !(j.prec.round(math.Abs(j.alpha)*absA) <= j.prec.max)
}
