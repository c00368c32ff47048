package gemm

import (
	"math/rand/v2"
	"testing"

	"matmul/internal/elem"
)

// TestScratchIsAtLeastWhatAWorkspaceTakes reserves for tiles up to a size.
func TestScratchIsAtLeastWhatAWorkspaceTakes(t *testing.T) {
	scratchHolds[float64](t)
	scratchHolds[float32](t)
}

func scratchHolds[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	upTo := func(n int) int { return 1 + r.IntN(n) }
	for _, k := range kernels[T](t) {
		for range 200 {
			m, n, depth := upTo(3000), upTo(3000), upTo(1000)
			b := Blocking{MC: r.IntN(3000), KC: r.IntN(1000), NC: r.IntN(500)}
			packedA, packedB := r.IntN(2) == 0, r.IntN(2) == 0
			check := []*checker[T]{nil, {}}[r.IntN(2)]
			most := Scratch(k, b, m, n, depth, packedA, packedB)
			var ws Workspace[T]
			for range 3 {
				tile := Tile[T]{I1: upTo(m), J1: upTo(n)}
				tile.A.Packed.Depth, tile.B.Packed.Depth = depth, depth
				tile.A.Scale, tile.A.Stored.DepthStride = 1, 1+r.IntN(2)
				tile.B.Scale, tile.B.Stored.LaneStride, tile.B.Stored.DepthStride = 1, 1+r.IntN(2), 1+r.IntN(2*n)
				if packedA {
					tile.A.Packed.Data = make([]T, 1)
				}
				if packedB {
					tile.B.Packed.Data = make([]T, 1)
				}
				newMacro(k, b, &ws, &tile, check)
			}
			got := int64(len(ws.blocks)+len(ws.zero)+len(ws.a)+len(ws.b)) * int64(k.Type.Size())
			if got > most {
				t.Fatalf("%s %+v: tiles of at most %d×%d over %d, packed %v %v, checked %v: the workspace has %d bytes, Scratch said %d",
					k, b, m, n, depth, packedA, packedB, check != nil, got, most)
			}
		}
	}
}
