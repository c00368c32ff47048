package tiling

// Tiles returns into how many tiles of at most size a length is cut.
func Tiles(length, size int64) int64 { return max(ceilDiv(length, size), 1) }

// The sizes that DefaultTiles starts from. A worker that keeps its rows of C
// walks along them in strips of columns: strips too narrow read A too often,
// too wide ones leave less to choose from at the end.
const (
	leastRows = 96
	mostRows  = 4096
	strip     = 2048
	// leastFlops is what a tile should be worth, so that its message is not
	// felt, if there are enough tiles.
	leastFlops = 2e7
)

// DefaultTiles returns the numbers of tiles down and across C for a problem on
// so many workers. Each worker gets as many tiles of equal size as the others
// where the shape allows it: rows of C are divided among them, and when there
// are not enough rows for all, columns are too.
func DefaultTiles(p Problem, mr, nr int64, workers int) (down, across int64) {
	w := int64(workers)
	m, n := max(p.M, 1), max(p.N, 1)
	groups := clamp(m/leastRows, 1, w) // of rows, one to each worker or more
	for w%groups != 0 {
		groups--
	}
	down = groups * ceilDiv(ceilDiv(m, groups), roundUp(mostRows, mr))
	perStrip := 2 * float64(ceilDiv(m, down)) * float64(max(p.K, 1)) // flops of a column
	width := max(strip, int64(min(leastFlops/perStrip, float64(n))))
	share := w / groups // workers that share a strip's rows
	across = roundUp(max(ceilDiv(n, width), min(2*share, ceilDiv(n, 2*nr))), share)
	return min(down, ceilDiv(m, mr)), min(across, ceilDiv(n, nr))
}
