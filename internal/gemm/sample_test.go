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

// checks is the number of tiles that are checked, and flips that of bits that
// are flipped, over all kernels and element types.
func checks() int { return 40 * samples() }
func flips() int  { return 8 * samples() }

// primes are the sizes of the larger problems, ascending.
func primes() []int {
	if testing.Short() {
		return []int{1, 97, 131}
	}
	return []int{1, 97, 211, 397}
}
