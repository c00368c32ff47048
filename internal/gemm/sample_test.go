//go:build !campaign

package gemm

import "testing"

// samples is the number of random problems per kernel and element type; a
// build with -tags campaign takes many more.
func samples() int {
	if testing.Short() {
		return 60
	}
	return 500
}

// primes are the sizes of the larger problems, ascending.
func primes() []int {
	if testing.Short() {
		return []int{1, 97, 131}
	}
	return []int{1, 97, 211, 397}
}
