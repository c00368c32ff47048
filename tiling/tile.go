package tiling

// DefaultTile returns the rows and columns of a tile for a problem on the
// given number of workers: at most 384×768, so that a tile's scratch and the
// panels it walks stay near, and small enough that each worker gets several.
func DefaultTile(p Problem, mr, nr int64, workers int) (m, n int64) {
	m, n = min(roundUp(max(p.M, 1), mr), roundUp(384, mr)), min(roundUp(max(p.N, 1), nr), roundUp(768, nr))
	// A thin C leaves one side short: let the other grow, so that a tile is
	// worth its message and a stored band is worth its write.
	const area = 384 * 768
	m = max(m, roundUp(min(area/max(n, 1), max(p.M, 1)), mr))
	n = max(n, roundUp(min(area/max(m, 1), max(p.N, 1)), nr))
	const perWorker = 4
	for want := int64(workers) * perWorker; ceilDiv(p.M, m)*ceilDiv(p.N, n) < want; {
		switch {
		case m >= n && m > 4*mr:
			m = roundUp(ceilDiv(m, 2), mr)
		case n > 2*nr:
			n = roundUp(ceilDiv(n, 2), nr)
		default:
			return m, n
		}
	}
	return m, n
}
