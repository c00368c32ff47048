// Package summa is the pure arithmetic of a product that many ranks share:
// which grid they form, which block of C is whose, how wide the panels are that
// they pass on, and what that costs.
//
// The ranks form a grid of P × Q; rank (i, j) has the number i·Q + j and owns
// block (i, j) of C. By the algorithm SUMMA (van de Geijn and Watts, 1997) k is
// done in steps of one panel in ascending order: those who have a panel of A pass
// it on along their row of the grid, those who have a panel of B along their
// column, and everybody adds the product to its block of C. An element of C
// has one owner and its sum one order, so the bits do not depend on the grid.
//
// Contract: nothing here touches memory, files or processes, and equal arguments
// give equal results.
package summa

import (
	"fmt"

	"matmul/tiling"
)

// A Grid is P rows of Q ranks.
type Grid struct{ P, Q int }

// String writes a grid as "2×3".
func (g Grid) String() string { return fmt.Sprintf("%d×%d", g.P, g.Q) }

// Ranks returns the number of ranks.
func (g Grid) Ranks() int { return g.P * g.Q }

// Place returns the row and column of a rank.
func (g Grid) Place(rank int) (row, col int) { return rank / g.Q, rank % g.Q }

// Split returns piece i of a length that is cut into parts pieces: the first
// ones are longer by one where they cannot be equal.
func Split(length int64, parts, i int) (begin, end int64) {
	each, more := length/int64(parts), length%int64(parts)
	at := func(i int64) int64 { return i*each + min(i, more) }
	return at(int64(i)), at(int64(i) + 1)
}

// Block returns what a rank owns of the rows [r0, r1) of C, which has n columns.
func (g Grid) Block(rank int, r0, r1, n int64) tiling.Rect {
	row, col := g.Place(rank)
	var r tiling.Rect
	r.R0, r.R1 = Split(r1-r0, g.P, row)
	r.C0, r.C1 = Split(n, g.Q, col)
	r.R0, r.R1 = r.R0+r0, r.R1+r0
	return r
}

// largest returns the longest piece of a length.
func largest(length int64, parts int) int64 {
	_, end := Split(length, parts, 0)
	return end
}

// even is how much more than in the best grid the busiest rank may have to do.
const even = 1.05

// Choose returns the grid of all the ranks for which the busiest one receives
// least, of those that divide the work about as evenly as the best.
func Choose(p tiling.Problem, ranks int) Grid {
	var grids []Grid
	least := int64(-1)
	for q := 1; q <= ranks; q++ {
		if ranks%q != 0 {
			continue
		}
		g := Grid{ranks / q, q}
		grids = append(grids, g)
		if w := g.work(p); least < 0 || w < least {
			least = w
		}
	}
	var best Grid
	for _, g := range grids {
		if float64(g.work(p)) > even*float64(least) {
			continue
		}
		if best.P == 0 || g.Received(p) < best.Received(p) {
			best = g
		}
	}
	return best
}

// work returns the elements of C of the rank that has most of them.
func (g Grid) work(p tiling.Problem) int64 { return largest(p.M, g.P) * largest(p.N, g.Q) }

// Received returns the elements of A and B that a rank receives on average: of
// the panels of its row and its column it has one in Q, or in P, itself.
func (g Grid) Received(p tiling.Problem) float64 {
	q, r := float64(g.Q), float64(g.P)
	a := float64(p.M) / r * float64(p.K) * (q - 1) / q
	b := float64(p.N) / q * float64(p.K) * (r - 1) / r
	return a + b
}
