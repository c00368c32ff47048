//go:build campaign

package level3

func samples() int { return 20_000 }
