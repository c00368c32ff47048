//go:build !race

package gemm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"matmul/internal/elem"
)

// TestChecksumsAreThereWhilePanelsArePackedAgain reads checksums while the same
// lanes are packed once more, as workers do when a panel is repaired. (The
// race detector would see just that.)
func TestChecksumsAreThereWhilePanelsArePackedAgain(t *testing.T) {
	t.Run("float64", testPackedAgain[float64])
	t.Run("float32", testPackedAgain[float32])
}

func testPackedAgain[T elem.Float](t *testing.T) {
	const lanes, depth = 144, 600
	for _, k := range kernels[T](t) {
		for _, form := range []string{"depth-contiguous", "lane-contiguous", "scaled"} {
			src, scale := Source[T]{make([]T, lanes*depth), depth, 1}, T(1)
			if form == "lane-contiguous" {
				src.LaneStride, src.DepthStride = 1, lanes
			} else if form == "scaled" {
				scale = 1.5
			}
			fill(rand.New(rand.NewPCG(3, 3)), flavours[0], src.Data)
			a := Operand[T]{Packed: Panels[T]{make([]T, PanelLen(lanes, depth, k.MR)), k.MR, lanes, depth}, Digests: make(Digests, DigestsLen(lanes, depth, k.MR))}
			b := Operand[T]{Packed: Panels[T]{make([]T, PanelLen(lanes, depth, k.NR)), k.NR, lanes, depth}, Sums: make(Sums[T], SumsLen(lanes, depth, k.NR))}
			pack := func() {
				PackChecked(k, new(Workspace[T]), &a, 0, lanes, 0, depth, src, scale)
				PackChecked(k, new(Workspace[T]), &b, 0, lanes, 0, depth, src, 1)
			}
			pack()
			panels, digests, sums := slices.Clone(a.Packed.Data), slices.Clone(a.Digests), slices.Clone(b.Sums)
			over := make(chan struct{})
			go func() {
				defer close(over)
				for range 50 {
					pack()
				}
			}()
			for done := false; !done; {
				select {
				case <-over:
					done = true
				default:
				}
				if !slices.Equal(a.Packed.Data, panels) || !slices.Equal(a.Digests, digests) || !slices.Equal(b.Sums, sums) {
					<-over
					t.Fatalf("%v, %s: what was packed was not there all the time", k, form)
				}
			}
		}
	}
}
