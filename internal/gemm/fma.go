package gemm

import (
	"math"

	"matmul/internal/elem"
)

// FMA returns a·b + c rounded once to T: the arithmetic that C is defined by.
func FMA[T elem.Float](a, b, c T) T {
	switch a := any(a).(type) {
	case float64:
		return T(math.FMA(a, float64(b), float64(c)))
	case float32:
		return T(fma32(a, float32(b), float32(c)))
	}
	panic("unreachable")
}

// fma32 rounds once, where float32(math.FMA(...)) would round twice. The
// product of two float32 is exact in float64; the sum is rounded to odd there,
// which leaves enough of what was lost for the conversion to float32 to round
// as if it saw the exact value (Boldo and Melquiond, "Emulation of FMA and
// correctly rounded sums: proved algorithms using rounding to odd", 2008).
func fma32(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	s := p + z
	bits := math.Float64bits(s)
	if bits&1 != 0 || bits&infBits == infBits {
		return float32(s) // already odd, or Inf or NaN
	}
	// TwoSum (Knuth): e is exactly what s lost. Every operation is an addition,
	// so nothing here can be fused.
	t := s - p
	e := (p - (s - t)) + (z - t)
	if e != 0 {
		bits = towards(bits, e)
	}
	return float32(math.Float64frombits(bits))
}

const infBits = 0x7ff << 52

// towards moves a finite nonzero float64, given as bits, one ulp towards the
// sign of e: away from zero when the signs agree.
func towards(bits uint64, e float64) uint64 {
	if math.Signbit(e) == (bits>>63 != 0) {
		return bits + 1
	}
	return bits - 1
}
