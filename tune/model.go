package tune

import (
	"math"

	"matmul/internal/gemm"
)

// SquareTile returns the side b of the largest square tiles of which one of A,
// one of B and one of C fit a cache together, 3·b²·size ≤ cache, in elements of
// so many bytes: the working set of one tile computation, as textbooks on
// operating systems put it (seed-ipc-applications.txt, "IPC in
// High-Performance Computing"; Lam, Rothberg and Wolf, ASPLOS 1991).
func SquareTile(cache int64, size int) int64 {
	return int64(math.Sqrt(float64(cache) / float64(3*size)))
}

// RegisterBlock returns the smallest block of C that keeps the multiply-add
// units busy: lanes elements in a vector, perCycle instructions begun per
// cycle, each with a result after latency cycles, so that
// mr·nr ≥ lanes·latency·perCycle, as near to a square as whole vectors allow
// (Low et al., Analytical Modeling Is Enough for High-Performance BLIS, ACM
// TOMS 43(2), 2016, section 4.2).
func RegisterBlock(lanes, latency, perCycle int) (mr, nr int) {
	need := float64(lanes * latency * perCycle)
	nr = int(math.Ceil(math.Sqrt(need)/float64(lanes))) * lanes
	return int(math.Ceil(need / float64(nr))), nr
}

// A Level is the geometry of one cache, or of a worker's share of it: Size and
// Line in bytes.
type Level struct {
	Size       int64
	Ways, Line int
}

// way returns the bytes of one way: sets times line.
func (l Level) way() float64 { return float64(l.Size) / float64(l.ways()) }

// ways is the associativity; 8, which most have, where nobody tells.
func (l Level) ways() int {
	if l.Ways < 2 {
		return 8
	}
	return l.Ways
}

// Levels returns what one worker has of each level: the sizes are those of
// share, and a shared cache counts with as many of its ways.
func (m *Machine) Levels(share CacheSizes) (levels [3]Level) {
	for i := range levels {
		above, c := m.cachesOf(i + 1)
		for _, cpu := range m.CPUs {
			if own := above[cpu]; own != nil {
				c = own
				break
			}
		}
		levels[i].Size = share.level(i + 1)
		if c != nil && c.Size > 0 {
			levels[i].Ways = int(int64(c.Ways) * levels[i].Size / c.Size)
			levels[i].Line = c.Line
		}
	}
	return levels
}

// Low returns the blocks of Low et al. (section 4.3 to 4.5 of the article
// above) in this package's roles. In theirs a micro-panel of B, NR wide, rests
// in level 1 while those of A stream past it from a block of A in level 2; here
// a micro-panel of A rests, and B's stream: their A is our B, their MC our NC.
//
//	level 1: one way for C, the rest shared as MR to NR: KC
//	level 2: one way for C, the resting micro-panel's ways, the rest: NC
//	level 3: one way for C, the ways of the level 2 block, the rest: MC
//
// It is wanting where a vector is so wide that KC comes out short, since what
// it costs to load and store C is not in the model: see [Guess].
func Low(k *gemm.Kernel, l [3]Level) gemm.Blocking {
	mr, nr, size := float64(k.MR), float64(k.NR), float64(k.Type.Size())
	streaming := math.Max(1, math.Floor(float64(l[0].ways()-1)/(1+mr/nr)))
	kc := math.Max(1, math.Floor(streaming*l[0].way()/(nr*size)))

	resting := math.Ceil(mr * kc * size / l[1].way())
	nc := math.Max(1, float64(l[1].ways())-1-resting) * l[1].way() / (kc * size)

	mc := 64 * mr // without a third level the panels of A come from memory anyway
	if l[2].Size > 0 {
		block := math.Ceil(nc * kc * size / l[2].way())
		mc = math.Max(1, float64(l[2].ways())-1-block) * l[2].way() / (kc * size)
	}
	return gemm.Blocking{MC: multiple(mc, k.MR), KC: multiple(kc, 4), NC: multiple(nc, k.NR)}
}

// multiple rounds down to a multiple of unit, at least one, at most what a
// choice may hold.
func multiple(v float64, unit int) int {
	return max(int(math.Min(v, maxBlock))/unit, 1) * unit
}
