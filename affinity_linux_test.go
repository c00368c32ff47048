package matmul_test

import (
	"runtime"
	"testing"

	"matmul/internal/sys"
)

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
