package gemm

import (
	"math"
	"runtime"
	"slices"
	"time"

	"matmul/internal/elem"
)

// peakSlice is how long one measurement of [Peak] takes: short beside a
// scheduler's time slice, so that most measurements are not interrupted, and
// long beside reading the clock.
const peakSlice = 100 * time.Microsecond

// Peak returns the FMA limit of the calling thread in GFLOP/s (an FMA counts
// two): independent fused multiply-adds in registers, with the instructions
// and the element type of k, measured for about d. It is the median of many
// short measurements, so what else runs on the processor hardly matters.
func Peak(k *Kernel, d time.Duration) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	steps, flops := peakOf(k)
	n := calibrate(steps)
	var rates []float64
	for start := time.Now(); len(rates) == 0 || time.Since(start) < d; {
		t := time.Now()
		steps(n)
		rates = append(rates, flops*float64(n)/float64(max(1, time.Since(t))))
	}
	slices.Sort(rates)
	return rates[len(rates)/2]
}

func peakOf(k *Kernel) (steps func(n int), flops float64) {
	if k.Type == elem.Float32 {
		r := routinesOf[float32](k)
		return r.peakSteps, r.flops
	}
	r := routinesOf[float64](k)
	return r.peakSteps, r.flops
}

// calibrate returns the number of iterations that take about a peakSlice.
func calibrate(steps func(n int)) int {
	n := 64
	for {
		t := time.Now()
		steps(n)
		if d := time.Since(t); d >= peakSlice/2 {
			return max(1, int(float64(n)*float64(peakSlice)/float64(d)))
		}
		n *= 2
	}
}

// peakFlops are those of one iteration of the portable loops: eight FMAs,
// enough independent ones to hide the latency of each.
const peakFlops = 16

// peakSink keeps the loops from being optimised away.
var peakSink struct {
	f64 float64
	f32 float32
}

func portablePeak64(n int) {
	x, y := 1.0, math.Ldexp(1, -40)
	var a, b, c, d, e, f, g, h float64
	for range n {
		a, b, c, d = math.FMA(x, y, a), math.FMA(x, y, b), math.FMA(x, y, c), math.FMA(x, y, d)
		e, f, g, h = math.FMA(x, y, e), math.FMA(x, y, f), math.FMA(x, y, g), math.FMA(x, y, h)
	}
	peakSink.f64 = a + b + c + d + e + f + g + h
}

func portablePeak32(n int) {
	x, y := float32(1), float32(math.Ldexp(1, -20))
	var a, b, c, d, e, f, g, h float32
	for range n {
		a, b, c, d = fma32(x, y, a), fma32(x, y, b), fma32(x, y, c), fma32(x, y, d)
		e, f, g, h = fma32(x, y, e), fma32(x, y, f), fma32(x, y, g), fma32(x, y, h)
	}
	peakSink.f32 = a + b + c + d + e + f + g + h
}
