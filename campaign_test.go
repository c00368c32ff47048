//go:build campaign

package matmul_test

func shapes() int { return 10_000 }
