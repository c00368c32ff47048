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
func portable64(k, blocks, panels int, a []float64, aRow, aStep, aPanel int, b []float64, bRow, bStep int, keepA, keepB, src []float64, srcStep int, dst []float64, dstStep, dstPanel, ldd int, _ []float64, _, _, _ int, _ []float64, _, _ int) {
	for ; panels > 0; panels, a, src, dst, keepA = panels-1, next(a, aPanel), next(src, blocks*srcStep), next(dst, dstPanel), next(keepA, k*portableMR) {
		for q := range blocks {
			acc := portableBlock[float64](src[q*srcStep:])
			accumulate64(k, a, aRow, aStep, b[q*bStep:], bRow, &acc)
			storePortable(dst[q*dstStep:], ldd, &acc)
			switch {
			case keepA != nil && q == 0:
				keepPortable(keepA, k, portableMR, a, aRow, aStep)
			case keepB != nil:
				keepPortable(keepB[q*k*portableNR:], k, portableNR, b[q*bStep:], 1, bRow)
			}
		}
	}
}

// portable32 is portable64 for float32.
func portable32(k, blocks, panels int, a []float32, aRow, aStep, aPanel int, b []float32, bRow, bStep int, keepA, keepB, src []float32, srcStep int, dst []float32, dstStep, dstPanel, ldd int, _ []float32, _, _, _ int, _ []float32, _, _ int) {
	for ; panels > 0; panels, a, src, dst, keepA = panels-1, next(a, aPanel), next(src, blocks*srcStep), next(dst, dstPanel), next(keepA, k*portableMR) {
		for q := range blocks {
			acc := portableBlock[float32](src[q*srcStep:])
			accumulate32(k, a, aRow, aStep, b[q*bStep:], bRow, &acc)
			storePortable(dst[q*dstStep:], ldd, &acc)
			switch {
			case keepA != nil && q == 0:
				keepPortable(keepA, k, portableMR, a, aRow, aStep)
			case keepB != nil:
				keepPortable(keepB[q*k*portableNR:], k, portableNR, b[q*bStep:], 1, bRow)
			}
		}
	}
}

// next moves on by n elements, at most to the end.
func next[T elem.Float](s []T, n int) []T { return s[min(n, len(s)):] }

func storePortable[T elem.Float](dst []T, ldd int, acc *portableBlock[T]) {
	for i := range portableMR {
		copy(dst[i*ldd:][:portableNR], acc[i*portableNR:])
	}
}

func keepPortable[T elem.Float](keep []T, k, width int, from []T, lane, step int) {
	for p := range k {
		for l := range width {
			keep[p*width+l] = from[l*lane+p*step]
		}
	}
}

func accumulate64(k int, a []float64, aRow, aStep int, b []float64, bRow int, acc *portableBlock[float64]) {
	for p := range k {
		bp := (*[portableNR]float64)(b[p*bRow:])
		for i := range portableMR {
			x := a[i*aRow+p*aStep]
			row := (*[portableNR]float64)(acc[i*portableNR:])
			for j, y := range bp {
				row[j] = math.FMA(x, y, row[j])
			}
		}
	}
}

// accumulate32 differs in the reference arithmetic only.
func accumulate32(k int, a []float32, aRow, aStep int, b []float32, bRow int, acc *portableBlock[float32]) {
	for p := range k {
		bp := (*[portableNR]float32)(b[p*bRow:])
		for i := range portableMR {
			x := a[i*aRow+p*aStep]
			row := (*[portableNR]float32)(acc[i*portableNR:])
			for j, y := range bp {
				row[j] = fma32(x, y, row[j])
			}
		}
	}
}
