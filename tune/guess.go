package tune

import (
	"math"

	"matmul/internal/gemm"
)

// Guess returns the blocks that a search starts from. Its model: what has to be
// fetched into level 2 for one multiply-add is
//
//	size/NC    bytes of A, whose micro-panels pass once for each NC columns
//	2·size/KC  bytes of the sums, read and written once for each KC steps
//
// and level 1 gets everything from level 2 as a stream, which wide vectors
// need only a few bytes a cycle of. The block of B, KC·NC·size bytes, may have
// half of level 2: the other half is for what passes through. Under that
// constraint 1/NC + 2/KC is least at
//
//	KC = √(2·V),  NC = √(V/2)   with V = level 2/(2·size) elements.
//
// The micro-panel of A that is used again and again, MR·KC·size bytes, may have
// three quarters of level 1; MC·KC·size bytes of A half of a worker's share of
// level 3. Low's model ([Low]) bounds KC by level 1 alone, which makes it two
// to four times too short for AVX-512.
func Guess(k *gemm.Kernel, share CacheSizes) gemm.Blocking {
	size := float64(k.Type.Size())
	v := float64(share.L2) / (2 * size)
	kc := math.Min(math.Sqrt(2*v), 0.75*float64(share.L1)/(float64(k.MR)*size))
	b := gemm.Blocking{KC: multiple(kc, 8)}
	b.NC = multiple(v/float64(b.KC)+float64(k.NR)/2, k.NR)
	mc := float64(share.L3) / 2 / (float64(b.KC) * size)
	if share.L3 == 0 {
		mc = float64(share.L2) / 4 / (float64(b.KC) * size)
	}
	b.MC = max(multiple(math.Min(mc, mostMC), k.MR), 8*k.MR)
	return b
}

// mostMC bounds MC: the sums of MC rows lie in the workspace, and more of them
// than a tile has rows are of no use.
const mostMC = 4096

// MemoryTraffic returns the bytes that a tile of m×n and depth k moves from and
// to memory: its rows of A once, its columns of B once for each MC rows, and C
// out and back. Its quotient with 2·m·n·k is the arithmetic intensity that a
// roofline is drawn over (Williams, Waterman and Patterson, CACM 52(4), 2009).
func MemoryTraffic(size int, b gemm.Blocking, m, n, k int64) float64 {
	passes := float64(ceilDiv(m, int64(max(b.MC, 1))))
	a, bb, c := float64(m)*float64(k), float64(k)*float64(n)*passes, 2*float64(m)*float64(n)
	return float64(size) * (a + bb + c)
}
