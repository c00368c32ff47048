package gemm

import "matmul/internal/elem"

// maxSteps bounds the steps of one call of a micro-kernel, and so the time in
// which the Go scheduler cannot interrupt: 24 cycles a step, 100 µs at 4 GHz.
const maxSteps = 16384

// sweep is the two inner loops, ir and jr, of one k-block.
type sweep[T elem.Float] struct {
	*macro[T]
	i0, i1, j0, j1 int // of the block of C
	pc, kc         int
	fromZero, last bool
	keep           bool // pack B's rows while they are used for the first time
	at             int  // of the next block in the workspace
	later          []T  // rows of the next B block, where it is stored
	laterStep      int
}

func (s *sweep[T]) run() {
	if s.B.Packed.Data == nil && !s.directB {
		s.b.from = s.J0 + s.j0
		s.keep = s.b.readable(s.B.Stored.LaneStride)
	}
	if !s.keep {
		s.b.pack(s.J0+s.j0, s.J0+s.j1, s.pc, s.kc)
	}
	s.later, s.laterStep = s.laterOf()
	for i := s.i0; i < s.i1; i += s.mr {
		rows := min(s.mr, s.i1-i)
		if s.j0 == 0 {
			s.a.pack(s.I0+i, s.I0+i+rows, s.pc, s.kc)
		}
		s.row(i, rows)
		s.keep = false
	}
}

// row runs jr: one micro-panel of A, whose rows of C are i to i+rows, times
// all micro-panels of the B block. Those that are whole go to the micro-kernel
// together, a narrower last one to a tail of its width.
func (s *sweep[T]) row(i, rows int) {
	a, aRow, aStep, _ := s.a.at(s.I0+i, s.pc, s.kc)
	c := call[T]{a: a, aRow: aRow, aStep: aStep}
	c.ahead, c.aheadStep = s.aheadOf(i)
	most := max(1, maxSteps/s.kc)
	j := s.j0
	for whole := (s.j1 - s.j0) / s.nr; whole > 0; {
		n := min(whole, most)
		s.blocks(n, s.nr, &c, i, rows, j)
		whole -= n
		j += n * s.nr
	}
	if j < s.j1 {
		s.blocks(1, s.j1-j, &c, i, rows, j)
	}
}

// call is what stays the same for all blocks of a row.
type call[T elem.Float] struct {
	a           []T
	aRow, aStep int
	ahead       []T
	aheadStep   int
}

// blocks runs the micro-kernel on n blocks of rows×cols elements from C[i, j]
// on. Only the last k-block stores to C, and only blocks that fill the
// micro-kernel's: others it leaves in the workspace, from where their elements
// inside the tile are copied.
func (s *sweep[T]) blocks(n, cols int, c *call[T], i, rows, j int) {
	t, size := s.tailFor(cols), s.mr*s.nr
	acc := s.ws.blocks[s.at : s.at+n*size]
	s.at += n * size
	src, srcStep := acc, size
	if s.fromZero {
		src, srcStep = s.ws.zero, 0
	}
	dst, dstStep, ldd := acc, size, s.nr
	direct := s.last && rows == s.mr && cols == t.cols
	if direct {
		dst, dstStep, ldd = s.C[i*s.LDC+j:], s.nr, s.LDC
	}
	b, bRow, bPanel, keep := s.columns(cols == t.cols, cols, j)
	t.run(s.kc, n, c.a, c.aRow, c.aStep, b, bRow, bPanel, keep, src, srcStep, dst, dstStep, ldd, c.ahead, c.aheadStep, s.later, s.laterStep)
	s.later = s.later[min(len(s.later), n*s.laterStep):]
	c.ahead = c.ahead[min(len(c.ahead), n*c.aheadStep):]
	if s.last && !direct {
		s.store(acc, n, cols, i, rows, j)
	}
}

// columns returns the micro-panels of B from column j on, and where to keep
// them.
func (s *sweep[T]) columns(whole bool, cols, j int) (b []T, row, panel int, keep []T) {
	l := s.J0 + j
	if s.keep && !whole {
		s.b.pack(l, l+cols, s.pc, s.kc)
	}
	b, _, row, panel = s.b.at(l, s.pc, s.kc)
	if s.keep && whole {
		keep = b
		b, row, panel = s.B.Stored.from(l, s.pc), s.B.Stored.DepthStride, s.nr
	}
	return b, row, panel, keep
}

// aheadOf returns the micro-panel of A that follows row i: the next of these
// rows, or their first one again for the next NC columns, or the first of the
// next k-block. Each block of a row fetches a part of it, step elements apart:
// a row of it, where it is not packed yet.
func (s *sweep[T]) aheadOf(i int) (ahead []T, step int) {
	l, pc, kc, packed := s.I0+i+s.mr, s.pc, s.kc, s.j0 > 0
	switch {
	case i+s.mr < s.i1:
	case s.j1 < s.J1-s.J0:
		l, packed = s.I0+s.i0, true
	case s.last:
		return nil, 0
	default:
		l, pc, kc, packed = s.I0+s.i0, s.pc+s.kc, s.nextKC(), false
	}
	if s.A.Packed.Data == nil && (!packed || l < s.a.from) {
		if s.A.Stored.DepthStride != 1 {
			return nil, 0
		}
		return s.A.Stored.from(l, pc), s.A.Stored.LaneStride
	}
	ahead, _, _, _ = s.a.at(l, pc, kc)
	return ahead, kc * s.mr / s.share
}

// laterOf returns the rows of the B block that comes after this one, if they
// are still to be packed: each block of C fetches one.
func (s *sweep[T]) laterOf() (rows []T, step int) {
	if !s.b.readable(s.B.Stored.LaneStride) || s.directB {
		return nil, 0
	}
	j, pc := s.j1, s.pc
	if j == s.J1-s.J0 {
		if s.last {
			return nil, 0
		}
		j, pc = 0, s.pc+s.kc
	}
	return s.B.Stored.from(s.J0+j, pc), s.B.Stored.DepthStride
}

// nextKC is the number of depths in the next k-block.
func (s *sweep[T]) nextKC() int { return min(s.macro.kc, s.A.Packed.Depth-s.pc-s.kc) }

// tailFor returns the narrowest micro-kernel for so many columns.
func (s *macro[T]) tailFor(cols int) *tail[T] {
	t := 0
	for s.tails[t].cols < cols {
		t++
	}
	return &s.tails[t]
}

// store copies what lies inside the tile of n finished blocks to C.
func (s *sweep[T]) store(acc []T, n, cols, i, rows, j int) {
	for q := range n {
		blk := acc[q*s.mr*s.nr:]
		for r := range rows {
			copy(s.C[(i+r)*s.LDC+j+q*s.nr:][:cols], blk[r*s.nr:])
		}
	}
}
