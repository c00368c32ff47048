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
			dst := Panels[T]{make([]T, PanelLen(lanes, depth, k.NR)), k.NR, lanes, depth}
			sums := make(Sums[T], SumsLen(lanes, depth, k.NR))
			pack := func() { PackSummed(k, new(Workspace[T]), dst, sums, 0, lanes, 0, depth, src, scale) }
			pack()
			panels, were := slices.Clone(dst.Data), slices.Clone(sums)
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
				if !slices.Equal(sums, were) || !slices.Equal(dst.Data, panels) {
					<-over
					t.Fatalf("%v, %s: what was packed was not there all the time", k, form)
				}
			}
		}
	}
}
