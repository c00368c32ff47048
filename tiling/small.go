package tiling

// tileFlops is what a tile is worth handing to somebody else from.
const tileFlops = 2e6

// Sharers returns how many of so many workers a small problem is worth dividing
// among; 1 if waking another would take longer than its tile.
func Sharers(p Problem, workers int) int {
	return int(min(float64(workers), max(1, p.Flops()/tileFlops)))
}
