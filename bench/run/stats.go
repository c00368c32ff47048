package main

import (
	"math"
	"slices"
)

// median returns the middle of the values, the mean of both middles if their
// number is even.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// bounds returns two values of which each is, whatever the distribution that v
// is a sample of, on the wrong side of its median in 5 % of the cases at most:
// the r-th smallest and the r-th largest of v (David and Nagaraja, Order
// Statistics, section 7.1). NaN if the sample is too small.
func bounds(v []float64) (lower, upper float64) {
	r := boundRank(len(v))
	if r == 0 {
		return math.NaN(), math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	return s[r-1], s[len(s)-r]
}

// boundRank returns the largest r for which the r-th smallest of n values is
// such a bound: P(Binomial(n, 1/2) < r) must not exceed 5 %. 15 values give the
// 4th (1.8 %), and it takes 5 for the first.
func boundRank(n int) int {
	below, term := 0.0, math.Exp2(float64(-n))
	for r := range n {
		if below += term; below > 0.05 {
			return r
		}
		term *= float64(n-r) / float64(r+1)
	}
	return 0
}
