package main

import (
	"math"
	"slices"
)

// confidence is that of the lower bounds.
const confidence = 0.95

// median returns the middle of the values, the mean of both middles if their
// number is even.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// outliers are how many values [high] leaves out.
const outliers = 4

// high returns the greatest of the values but for outliers.
func high(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[max(0, len(s)-1-outliers)]
}

// lowerBound returns a value that the median of the distribution, of which v is
// a sample, is below in 5 % of the cases at most, whatever the distribution is:
// the r-th smallest of v (David and Nagaraja, Order Statistics, section 7.1).
// NaN if the sample is too small for one.
func lowerBound(v []float64) float64 {
	r := boundRank(len(v))
	if r == 0 {
		return math.NaN()
	}
	return slices.Sorted(slices.Values(v))[r-1]
}

// boundRank returns the largest r for which the r-th smallest of n values is
// such a bound; 0 if there is none. The r-th smallest lies above the median if
// fewer than r values lie below it, and each does with probability 1/2: the
// probability of that, P(Binomial(n, 1/2) < r), must not exceed 5 %. 15 values
// give the 4th (1.8 %; the 5th would be 5.9 %), and it takes 5 for the first.
func boundRank(n int) int {
	below := 0.0
	for r := range n {
		if below += binomialHalf(n, r); below > 1-confidence {
			return r
		}
	}
	return 0
}

// binomialHalf is the probability of k heads in n tosses of a coin.
func binomialHalf(n, k int) float64 {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return math.Exp(lg(n) - lg(k) - lg(n-k) - float64(n)*math.Ln2)
}

// ratios returns theirs[i]/ours[i]: above 1 where we are faster.
func ratios(theirs, ours []float64) []float64 {
	q := make([]float64, len(ours))
	for i := range q {
		q[i] = theirs[i] / ours[i]
	}
	return q
}
