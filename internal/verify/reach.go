package verify

import "math"

// A reach bounds the magnitudes that meet in a block, to say where float32
// may be computed fast: see multiply32.
type reach struct {
	minA, maxA float64 // of the chunk of alpha·op(A): least nonzero and largest
	acc        float64 // bounds every |acc|
	next       float64 // bounds every |acc| after the slabs seen since advance
}

// harmless reports whether in acc += a·b of this tile no sum can overflow
// float32 or have bits below its smallest subnormal. It is false if any
// number is not finite.
func (r *reach) harmless(t *tile) bool {
	m := newMagnitudes()
	for p := range t.depth {
		m.see(t.b[p*t.ldb:][:t.cols])
	}
	// Each step adds at most one product and a relative rounding error of
	// 2⁻²⁴; 2⁻²³ leaves room for what is rounded here.
	depth := float64(t.depth)
	acc := (r.acc + depth*r.maxA*m.most) * (1 + depth*0x1p-23)
	if r.next = max(r.next, acc); !(acc <= 0x1p126) {
		return false
	}
	// A float32 of magnitude 2^e is a multiple of 2^(e−23), or of 2⁻¹⁴⁹: if
	// the least product is 2⁻¹⁰¹, all are multiples of 2^(−101−2−46) = 2⁻¹⁴⁹.
	return r.minA*m.least >= 0x1p-101
}

// advance goes on to the slabs below those seen.
func (r *reach) advance() { r.acc, r.next = max(r.acc, r.next), 0 }

// magnitudes are the least nonzero and the largest |v| of those seen; most is
// Inf if any was not finite.
type magnitudes struct{ least, most float64 }

func newMagnitudes() magnitudes { return magnitudes{least: math.Inf(1)} }

func (m *magnitudes) see(vs []float64) {
	for _, v := range vs {
		v = math.Abs(v)
		if v < m.least && v != 0 {
			m.least = v
		}
		if !(v <= m.most) {
			if v != v {
				v = math.Inf(1)
			}
			m.most = v
		}
	}
}
