package tiling

import "math"

// Tiles returns into how many tiles of at most size a length is cut.
func Tiles(length, size int64) int64 { return max(ceilDiv(length, size), 1) }

// The sizes that DefaultTiles starts from. A worker that keeps its rows of C
// walks along them in strips of columns: strips too narrow read A too often,
// too wide ones leave less to choose from at the end.
const (
	leastRows = 32
	strip     = 2048
	// mostFlops bounds what is lost with a worker, and how seldom a tile is
	// reported: a fifth of a second on a fast core. leastSide is what a tile
	// keeps for that, since short sides cost speed.
	mostFlops = 1e10
	leastSide = 512
	// leastFlops is what a tile should be worth, so that its message is not
	// felt, if there are enough tiles.
	leastFlops = 2e7
)

// rowGroups returns into how many groups of rows C is divided for w workers;
// the w/groups workers of a group divide its columns. A worker reads the rows
// of A and the columns of B that it needs: of the divisions that have rows and
// columns enough, the one that reads least is best, and of equals the one with
// the longer rows.
func rowGroups(m, n, nr, w int64) (groups int64) {
	groups = 1
	least := math.Inf(1)
	for g := int64(1); g <= w; g++ {
		if w%g != 0 || g > 1 && g > m/leastRows || w/g > max(1, n/(2*nr)) && g < m/leastRows && g < w {
			continue
		}
		if reads := float64(g)*float64(n) + float64(w/g)*float64(m); reads <= least {
			groups, least = g, reads
		}
	}
	return groups
}

// DefaultTiles returns the numbers of tiles down and across C for a problem on
// so many workers. Each worker gets as many tiles of equal size as the others
// where the shape allows it.
func DefaultTiles(p Problem, mr, nr int64, workers int) (down, across int64) {
	w := int64(workers)
	m, n, k := max(p.M, 1), max(p.N, 1), float64(max(p.K, 1))
	groups := rowGroups(m, n, nr, w)
	side := func(other int64) int64 { return max(leastSide, int64(mostFlops/(2*k*float64(other)))) }
	down = groups * ceilDiv(ceilDiv(m, groups), side(min(n, strip)))
	height := ceilDiv(m, down)
	width := min(strip, side(height))
	width = max(width, int64(min(leastFlops/(2*k*float64(height)), float64(n))))
	share := w / groups // workers that share a strip's rows
	across = roundUp(max(ceilDiv(n, width), min(share, ceilDiv(n, 2*nr))), share)
	return min(down, ceilDiv(m, mr)), min(across, ceilDiv(n, nr))
}
