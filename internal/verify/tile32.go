package verify

import (
	"math"

	"matmul/internal/gemm"
)

// multiply32 multiplies values of float32, held in float64, rounding each
// step to float32 once.
//
// The product of two float32 is exact in float64, so that only the sum s is
// rounded before it is rounded to float32. Rounding twice goes wrong only
// where s lies just between two neighbours of 24 bits: those steps are done
// by gemm.FMA, the others by Veltkamp's splitting, which is 2.3 times as fast
// as conversions between the types. It rounds to 24 bits at any exponent, as
// float32 does only if sums neither overflow nor have bits below 2⁻¹⁴⁹: that
// is what harmless promises. All steps are done by gemm.FMA otherwise.
//
// Veltkamp's splitting rounds to nearest if there is no tie: S. Boldo,
// "Pitfalls of a full floating-point proof: example on the formal proof of
// the Veltkamp/Dekker algorithms", IJCAR 2006.
func (t *tile) multiply32(harmless bool) {
	for i := range t.rows {
		c, a := t.rowC(i), t.rowA(i)
		p := 0
		for ; harmless && p+4 <= t.depth; p += 4 {
			b := [4][]float64{t.rowB(p), t.rowB(p + 1), t.rowB(p + 2), t.rowB(p + 3)}
			x := (*[4]float64)(a[p:])
			for j := axpyFast(c, 0, &b, x); j < len(c); j = axpyFast(c, j+1, &b, x) {
				for q, v := range x {
					axpyOnce(c[j:j+1], b[q][j:], v)
				}
			}
		}
		for ; p < t.depth; p++ {
			axpyOnce(c, t.rowB(p), a[p])
		}
	}
}

// axpyOnce is c[j] = fma(a, b[j], c[j]) in float32.
func axpyOnce(c, b []float64, a float64) {
	x := float32(a)
	for j := range c {
		c[j] = float64(gemm.FMA(x, float32(b[j]), float32(c[j])))
	}
}

// split is Veltkamp's constant to keep 24 of 53 bits.
const split = 1<<29 + 1

// axpyFast is four steps of axpyOnce, for b[0] to b[3] in this order, on
// c[from:]. It stops before an element that could be rounded wrongly, and
// returns its index, len(c) if there is none.
func axpyFast(c []float64, from int, b *[4][]float64, a *[4]float64) int {
	n := len(c)
	b0, b1, b2, b3 := b[0][:n], b[1][:n], b[2][:n], b[3][:n]
	a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
	for j := from; j < n; j++ {
		// The conversions forbid a fused t−s, which would not split.
		s0 := c[j] + a0*b0[j]
		t := float64(s0 * split)
		s1 := t - (t - s0) + a1*b1[j]
		t = float64(s1 * split)
		s2 := t - (t - s1) + a2*b2[j]
		t = float64(s2 * split)
		s3 := t - (t - s2) + a3*b3[j]
		t = float64(s3 * split)
		if between(s0) || between(s1) || between(s2) || between(s3) {
			return j
		}
		c[j] = t - (t - s3)
	}
	return n
}

// between reports whether s is half way between two neighbours of 24 bits.
func between(s float64) bool { return math.Float64bits(s)<<(64-29) == 1<<63 }
