//go:build campaign

package gemm

func samples() int { return 20_000 }

// The campaigns of [Checked]: docs/reliability.md has what came out.
func checks() int { return 1_000_000 }
func flips() int  { return 100_000 }

func primes() []int { return []int{1, 97, 397, 1021, 2053} }
