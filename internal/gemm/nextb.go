package gemm

import "matmul/internal/elem"

// turnBytes is what a micro-kernel fetches for later in a turn: two lines.
const turnBytes = 128

// nextB sets what row number r of a sweep fetches of the B block that follows:
// all of it in the last rows, so that it comes from memory at a steady rate,
// and not in a burst when it is due, and is not gone again by then. Blocks that are
// read where they are stored lie near to one another, but for the next k-block's, which a
// few rows cannot wait for.
func (s *sweep[T]) nextB(c *call[T], r int) {
	j, pc := s.j1, s.pc
	if j == s.J1-s.J0 {
		j, pc = 0, s.pc+s.kc
	}
	rows := (s.i1 - s.i0 + s.mr - 1) / s.mr
	if pc == s.A.Packed.Depth || s.directB && (pc == s.pc || rows > lowPanels) {
		return
	}
	kc, nc := min(s.kc, s.A.Packed.Depth-pc), min(s.nc, s.J1-s.J0-j)
	blocks := s.across()
	if s.B.Packed.Data != nil {
		part := blocks * nc
		at := (r - rows + (kc-1)/blocks + 1) * part
		if at < 0 || at >= kc*nc {
			c.alike = max(1, -at/part)
			return
		}
		c.alike = max(1, (kc*s.nr-at%(kc*s.nr))/part)
		panel := min(s.J0+j+at/(kc*s.nr)*s.nr, s.B.Packed.Lanes-1)
		c.fetchLater(s.B.Packed.panel(panel, pc)[at%(kc*s.nr):], nc, (nc*s.turnSteps-1)/s.kc+1)
		return
	}
	src := &s.B.Stored
	from := src.from(s.J0+j, pc)
	if src.LaneStride == 1 {
		s.fetchRows(c, from, src.DepthStride, kc, nc, r, rows, blocks)
	} else {
		s.fetchRows(c, from, src.LaneStride, nc, kc, r, rows, blocks)
	}
}

func (c *call[T]) fetchLater(from []T, step, turn int) {
	c.later, c.laterStep, c.laterTurn = from, step, turn
}

// fetchRows sets in c the share of row r of so many, each of so many blocks, of n stored
// rows of length elements, stride apart: one stored row for each block, or a piece of one
// if a block does not have turns enough for a row, or where blocks are too few for that,
// every turn of a block two lines of another row.
func (s *sweep[T]) fetchRows(c *call[T], from []T, stride, n, length, r, rows, blocks int) {
	turns, wide := max(1, s.kc/s.turnSteps), turnBytes/elem.Of[T]().Size()
	pieces, each := (length-1)/(turns*wide)+1, (n-1)/blocks+1
	if last := pieces * each; rows >= last {
		at := r - rows + last
		if at < 0 {
			c.alike = -at
			return
		}
		c.alike = each - at%each
		piece := (length-1)/pieces + 1
		c.fetchLater(from[min(at%each*blocks, n-1)*stride+at/each*piece:], stride, (piece*s.turnSteps-1)/s.kc+1)
		return
	}
	c.alike = 1
	across := (length-1)/wide + 1
	part := r * ((n-1)/turns + 1) * across / rows
	at := part/across*turns*stride + part%across*wide
	c.fetchLater(from[min(at, len(from)):], wide, stride)
}
