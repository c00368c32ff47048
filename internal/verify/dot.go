package verify

import (
	"math"

	"matmul/internal/elem"
)

// The loops of a stream, in float64. Eight elements at a time, in several
// sums, hide the latency of the additions; a slice that shrinks lets the
// compiler drop the bounds checks.

// dot returns Σ x[i]·v[i].
func dot[T elem.Float](x []T, v []float64) float64 {
	v = v[:len(x)]
	var s0, s1 float64
	for len(x) >= 8 && len(v) >= 8 {
		s0 += (float64(x[0])*v[0] + float64(x[1])*v[1]) + (float64(x[2])*v[2] + float64(x[3])*v[3])
		s1 += (float64(x[4])*v[4] + float64(x[5])*v[5]) + (float64(x[6])*v[6] + float64(x[7])*v[7])
		x, v = x[8:], v[8:]
	}
	for i := range min(len(x), len(v)) {
		s0 += float64(x[i]) * v[i]
	}
	return s0 + s1
}

// dotAbs returns Σ x[i]·v[i] and Σ |x[i]|.
func dotAbs[T elem.Float](x []T, v []float64) (sum, abs float64) {
	v = v[:len(x)]
	var s0, s1, a0, a1 float64
	for len(x) >= 8 && len(v) >= 8 {
		x0, x1, x2, x3 := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		x4, x5, x6, x7 := float64(x[4]), float64(x[5]), float64(x[6]), float64(x[7])
		s0 += (x0*v[0] + x1*v[1]) + (x2*v[2] + x3*v[3])
		s1 += (x4*v[4] + x5*v[5]) + (x6*v[6] + x7*v[7])
		a0 += (math.Abs(x0) + math.Abs(x1)) + (math.Abs(x2) + math.Abs(x3))
		a1 += (math.Abs(x4) + math.Abs(x5)) + (math.Abs(x6) + math.Abs(x7))
		x, v = x[8:], v[8:]
	}
	for i := range min(len(x), len(v)) {
		s0 += float64(x[i]) * v[i]
		a0 += math.Abs(float64(x[i]))
	}
	return s0 + s1, a0 + a1
}

// dotTwo returns Σ x[i]·v[i] and Σ |x[i]|·w[i].
func dotTwo[T elem.Float](x []T, v, w []float64) (sum, abs float64) {
	v, w = v[:len(x)], w[:len(x)]
	var s0, s1, a0, a1 float64
	for len(x) >= 4 && len(v) >= 4 && len(w) >= 4 {
		x0, x1, x2, x3 := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0 += x0*v[0] + x1*v[1]
		s1 += x2*v[2] + x3*v[3]
		a0 += math.Abs(x0)*w[0] + math.Abs(x1)*w[1]
		a1 += math.Abs(x2)*w[2] + math.Abs(x3)*w[3]
		x, v, w = x[4:], v[4:], w[4:]
	}
	for i := range min(len(x), len(v), len(w)) {
		s0 += float64(x[i]) * v[i]
		a0 += math.Abs(float64(x[i])) * w[i]
	}
	return s0 + s1, a0 + a1
}

// axpy is s[i] += x[i]·v.
func axpy[T elem.Float](s []float64, x []T, v float64) {
	s = s[:len(x)]
	for i, y := range x {
		s[i] += float64(y) * v
	}
}

// axpyTwo is s[i] += x[i]·v and a[i] += |x[i]|·w.
func axpyTwo[T elem.Float](s, a []float64, x []T, v, w float64) {
	s, a = s[:len(x)], a[:len(x)]
	for i, y := range x {
		s[i] += float64(y) * v
		a[i] += math.Abs(float64(y)) * w
	}
}

// addTo adds y to s.
func addTo(s, y []float64) {
	for i, v := range y {
		s[i] += v
	}
}
