//go:build !campaign

package matmul_test

import "testing"

// shapes is the number of random calls of Gemm per element type; a build with
// -tags campaign makes many more.
func shapes() int {
	if testing.Short() {
		return 200
	}
	return 1000
}
