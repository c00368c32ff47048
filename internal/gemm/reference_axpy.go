package gemm

import "math"

// axpy64 has a loop of its own for the usual stride: with a whole row at hand
// the compiler drops the bounds checks.
func axpy64(acc []float64, x float64, b []float64, stride int) {
	if stride == 1 {
		b = b[:len(acc)]
		for j, c := range acc {
			acc[j] = math.FMA(x, b[j], c)
		}
		return
	}
	for j, c := range acc {
		acc[j] = math.FMA(x, b[j*stride], c)
	}
}

// axpy32 is axpy64 for float32.
func axpy32(acc []float32, x float32, b []float32, stride int) {
	if stride == 1 {
		b = b[:len(acc)]
		for j, c := range acc {
			acc[j] = fma32(x, b[j], c)
		}
		return
	}
	for j, c := range acc {
		acc[j] = fma32(x, b[j*stride], c)
	}
}
