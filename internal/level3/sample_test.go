//go:build !campaign

package level3

// samples is the number of random problems per element type; a build with
// -tags campaign takes many more.
func samples() int { return 500 }
