package tune

import (
	"math"
	"slices"
)

// A Line is the first-order model of what it costs to hand x bytes to another
// process: T(x) = σ + x/B (seed-ipc-applications.txt, "Modeling Latency and
// Throughput"; Hockney's r∞ and n½). For a socket or a pipe σ stands for its
// nₛ system calls and 1/B for the two copies; in shared memory for the ringing
// of a bell and for the transport between caches.
type Line struct {
	// Sigma is the time of an empty message in seconds.
	Sigma float64 `json:"sigma_s"`
	// Bandwidth is in bytes per second.
	Bandwidth float64 `json:"bandwidth_bytes_per_s"`
}

// Time returns what the model predicts for x bytes, in seconds.
func (l Line) Time(x float64) float64 { return l.Sigma + x/l.Bandwidth }

// A Sample is one measurement: what Bytes took, in Seconds, the median.
type Sample struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// FitLine returns the line with the least sum of relative errors over the
// samples, of which there must be two sizes at least. Sizes go over decades, so
// squares of absolute errors would fit the largest alone, and squares of
// relative ones those that are furthest from any line: bandwidth is not the
// same in every cache. It is a weighted least-squares fit whose weights are
// adjusted until they count errors and not their squares.
func FitLine(samples []Sample) Line {
	weights := make([]float64, len(samples))
	for i, s := range samples {
		weights[i] = 1 / (s.Seconds * s.Seconds)
	}
	var l Line
	for range 100 {
		l = fitWeighted(samples, weights)
		for i, s := range samples {
			off := math.Abs(l.Time(float64(s.Bytes))-s.Seconds) / s.Seconds
			weights[i] = 1 / (s.Seconds * s.Seconds * math.Max(off, 1e-3))
		}
	}
	return l
}

// fitWeighted minimises Σ w·(σ + x/B − t)², with σ ≥ 0 and B > 0.
func fitWeighted(samples []Sample, weights []float64) Line {
	var w, x, t, xx, xt float64
	for i, s := range samples {
		b := float64(s.Bytes)
		w += weights[i]
		x += weights[i] * b
		t += weights[i] * s.Seconds
		xx += weights[i] * b * b
		xt += weights[i] * b * s.Seconds
	}
	slope := (w*xt - x*t) / (w*xx - x*x)
	sigma := (t - slope*x) / w
	if sigma < 0 {
		sigma, slope = 0, xt/xx
	}
	if !(slope > 0) {
		sigma, slope = t/w, 1e-15 // no bandwidth is seen
	}
	return Line{Sigma: sigma, Bandwidth: 1 / slope}
}

// Misses returns the median of |predicted − measured|/measured over the samples
// of at least from bytes; 0 if there are none.
func (l Line) Misses(samples []Sample, from int64) float64 {
	var off []float64
	for _, s := range samples {
		if s.Bytes >= from {
			off = append(off, math.Abs(l.Time(float64(s.Bytes))-s.Seconds)/s.Seconds)
		}
	}
	if len(off) == 0 {
		return 0
	}
	slices.Sort(off)
	return (off[(len(off)-1)/2] + off[len(off)/2]) / 2
}

// Crossing returns x*, the size of message in bytes at which two ways of
// handing it over cost the same, and whether there is one: below it the one
// with the smaller σ is faster, above it the one with the larger bandwidth. It
// is false if one way is the faster at every size.
func Crossing(a, b Line) (x float64, ok bool) {
	slopes := 1/a.Bandwidth - 1/b.Bandwidth
	x = (b.Sigma - a.Sigma) / slopes
	return x, slopes != 0 && x > 0 && !math.IsInf(x, 0)
}

// SmallestTile returns the side of the smallest square tile of C for which a
// message that costs sigma seconds is at most share of the time of the tile, at
// rate flop/s: 2·b²·k/rate ≥ sigma/share. A depth k of 0 stands for k = b.
func SmallestTile(sigma, rate, share float64, k int64) int64 {
	flops := sigma * rate / share
	if k <= 0 {
		return int64(math.Ceil(math.Cbrt(flops / 2)))
	}
	return int64(math.Ceil(math.Sqrt(flops / (2 * float64(k)))))
}

// AloneBelow returns the size of a job, in flop, below which a master at rate
// flop/s that multiplies alone is done sooner than so many workers that share
// the work and cost it sigma seconds of messages: F/rate ≤ F/(workers·rate) +
// sigma. It is infinite for one worker.
func AloneBelow(sigma, rate float64, workers int) float64 {
	w := float64(workers)
	if workers < 2 {
		return math.Inf(1)
	}
	return sigma * rate * w / (w - 1)
}

// Cube returns the n of the n×n×n product that takes so many flop.
func Cube(flops float64) float64 { return math.Cbrt(flops / 2) }
