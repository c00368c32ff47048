//go:build linux

package matmul_test

import (
	"runtime"
	"slices"
	"testing"

	"matmul/internal/sys"
)

// middle returns the median of the values.
func middle(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// leaveTo locks the benchmark to a thread that runs on one processor alone.
func leaveTo(b *testing.B, cpu int) {
	home, err := sys.Affinity(0)
	if err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	if err := sys.SetAffinity(0, []int{cpu}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		sys.SetAffinity(0, home)
		runtime.UnlockOSThread()
	})
}
