package main

import "testing"

func TestBoundsAreTheOrderStatisticsOfABinomial(t *testing.T) {
	for n, want := range map[int]int{4: 0, 5: 1, 7: 1, 8: 2, 9: 2, 15: 4, 25: 8} {
		if got := boundRank(n); got != want {
			t.Errorf("%d values: rank %d, want %d", n, got, want)
		}
	}
	if lower, upper := bounds([]float64{5, 3, 1, 4, 2}); lower != 1 || upper != 5 {
		t.Errorf("bounds %v and %v", lower, upper)
	}
	if m := median([]float64{4, 1, 2, 3}); m != 2.5 {
		t.Errorf("median %v", m)
	}
}
