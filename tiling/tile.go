package tiling

import "math"

// Tiles returns into how many tiles of at most size a length is cut.
func Tiles(length, size int64) int64 { return max(ceilDiv(length, size), 1) }

// Shape says which tiles suit the way in which operands are read. A worker that
// keeps its rows of C walks along them in strips of columns: strips too narrow
// read A too often, too wide ones leave less to choose from at the end.
type Shape struct {
	Side        int64   // what a side keeps, since short ones cost speed
	Rows, Strip int64   // rows and columns at most
	Flops       float64 // of a tile, as far as Side allows: what is lost with a worker
	Part        int64   // rows or columns that a part of one of the last tiles has at least
	Short       float64 // operations of each of several workers up to which it has one tile: to wait for another would cost more
}

// The shapes for operands that lie in panels; for those of which tiles are checked,
// which is less work in larger ones; and for those that a tile packs on the way,
// which it does once more for each row of tiles. A core takes a fifth of a second,
// twice that, and more than a second, at most.
var (
	OfPanels  = Shape{Side: 512, Rows: 2048, Strip: 2048, Flops: 1e10, Part: 192}
	OfChecked = Shape{Side: 512, Rows: 2048, Strip: 2048, Flops: 2e10, Part: 192}
	OfStored  = Shape{Side: 1024, Rows: 1024, Strip: 4096, Flops: 7e10, Part: 240, Short: 1.5e9}
)

const (
	leastRows = 32 // of a worker
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
		if w%g != 0 || g > 1 && g*leastRows > m {
			continue
		}
		reads := float64(g)*float64(n) + float64(w/g)*float64(m)
		if w/g*2*nr > n && g < w {
			reads = math.MaxFloat64 // too few columns: for want of a better one
		}
		if reads <= least {
			groups, least = g, reads
		}
	}
	return groups
}

// DefaultTiles returns the numbers of tiles down and across C for a problem on
// so many workers. Each worker gets as many tiles of equal size as the others
// where the shape allows it.
func DefaultTiles(p Problem, s Shape, mr, nr int64, workers int) (down, across int64) {
	w := int64(workers)
	m, n, k := max(p.M, 1), max(p.N, 1), float64(max(p.K, 1))
	groups := rowGroups(m, n, nr, w)
	side := func(other int64) int64 { return max(s.Side, int64(s.Flops/(2*k*float64(other)))) }
	down = groups
	if w == 1 || 2*float64(m)*float64(n)*k > s.Short*float64(w) {
		down *= ceilDiv(ceilDiv(m, groups), min(s.Rows, side(min(n, s.Strip))))
	}
	height := ceilDiv(m, down)
	width := min(s.Strip, side(height))
	width = max(width, int64(min(leastFlops/(2*k*float64(height)), float64(n))))
	share := w / groups // workers that share a strip's rows
	across = roundUp(max(ceilDiv(n, width), min(share, ceilDiv(n, 2*nr))), share)
	return min(down, ceilDiv(m, mr)), min(across, ceilDiv(n, nr))
}
