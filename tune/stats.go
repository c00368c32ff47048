package tune

import (
	"math"
	"slices"
)

// Median returns the middle of the values, the mean of both middles if their
// number is even, NaN if there are none.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// Spread returns the median distance from the median, scaled to be the standard
// deviation of normal noise. Unlike that one it does not mind a few
// interruptions.
func Spread(v []float64) float64 {
	m := Median(v)
	off := make([]float64, len(v))
	for i, x := range v {
		off[i] = math.Abs(x - m)
	}
	return 1.4826 * Median(off)
}

// medianError is the standard error of a median of normal noise.
func medianError(v []float64) float64 {
	return 1.2533 * Spread(v) / math.Sqrt(float64(len(v)))
}

// minus returns the differences of the values that both have.
func minus(a, b []float64) []float64 {
	d := make([]float64, min(len(a), len(b)))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d
}
