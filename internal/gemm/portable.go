package gemm

import (
	"math"

	"matmul/internal/elem"
)

// The block of the portable kernels. It is small, so that edges waste little,
// and enough for the loads of a and b to be shared.
const (
	portableMR = 4
	portableNR = 4
)

// portableBlock is a block of accumulators, row by row.
type portableBlock[T elem.Float] = [portableMR * portableNR]T

// portable64 is the micro-kernel in plain Go: what every other one must equal.
func portable64(k, blocks int, a, b []float64, bStep int, src []float64, srcStep int, dst []float64, dstStep, ldd int, _ []float64) {
	for q := range blocks {
		acc := portableBlock[float64](src[q*srcStep:])
		accumulate64(k, a, b[q*bStep:], &acc)
		storePortable(dst[q*dstStep:], ldd, &acc)
	}
}

// portable32 is portable64 for float32.
func portable32(k, blocks int, a, b []float32, bStep int, src []float32, srcStep int, dst []float32, dstStep, ldd int, _ []float32) {
	for q := range blocks {
		acc := portableBlock[float32](src[q*srcStep:])
		accumulate32(k, a, b[q*bStep:], &acc)
		storePortable(dst[q*dstStep:], ldd, &acc)
	}
}

func storePortable[T elem.Float](dst []T, ldd int, acc *portableBlock[T]) {
	for i := range portableMR {
		copy(dst[i*ldd:][:portableNR], acc[i*portableNR:])
	}
}

func accumulate64(k int, a, b []float64, acc *portableBlock[float64]) {
	for p := range k {
		ap := (*[portableMR]float64)(a[p*portableMR:])
		bp := (*[portableNR]float64)(b[p*portableNR:])
		for i, x := range ap {
			row := (*[portableNR]float64)(acc[i*portableNR:])
			for j, y := range bp {
				row[j] = math.FMA(x, y, row[j])
			}
		}
	}
}

// accumulate32 differs in the reference arithmetic only.
func accumulate32(k int, a, b []float32, acc *portableBlock[float32]) {
	for p := range k {
		ap := (*[portableMR]float32)(a[p*portableMR:])
		bp := (*[portableNR]float32)(b[p*portableNR:])
		for i, x := range ap {
			row := (*[portableNR]float32)(acc[i*portableNR:])
			for j, y := range bp {
				row[j] = fma32(x, y, row[j])
			}
		}
	}
}
