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
	at             int // of the next block in the workspace
}

// row runs jr: one micro-panel of A, whose rows of C are i to i+rows, times
// all micro-panels of the B block. Those that are whole go to the micro-kernel
// together, a narrower last one to a tail of its width.
func (s *sweep[T]) row(i, rows int) {
	a := s.A.panel(s.I0+i, s.pc)
	ahead := s.aheadOf(i)
	most := max(1, maxSteps/s.kc)
	j := s.j0
	for whole := (s.j1 - s.j0) / s.nr; whole > 0; {
		n := min(whole, most)
		s.blocks(n, s.nr, a, ahead, i, rows, j)
		ahead = ahead[min(len(ahead), n*(s.kc*s.mr/s.share)):]
		whole -= n
		j += n * s.nr
	}
	if j < s.j1 {
		s.blocks(1, s.j1-j, a, ahead, i, rows, j)
	}
}

// blocks runs the micro-kernel on n blocks of rows×cols elements from C[i, j]
// on. Only the last k-block stores to C, and only blocks that fill the
// micro-kernel's: others it leaves in the workspace, from where their elements
// inside the tile are copied.
func (s *sweep[T]) blocks(n, cols int, a, ahead []T, i, rows, j int) {
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
	t.run(s.kc, n, a, s.B.panel(s.J0+j, s.pc), s.nr*s.B.Depth, src, srcStep, dst, dstStep, ldd, ahead)
	if s.last && !direct {
		s.store(acc, n, cols, i, rows, j)
	}
}

// aheadOf returns the micro-panel of A that follows row i: the next of these
// rows, or their first one again for the next NC columns, or the first of the
// next k-block.
func (s *sweep[T]) aheadOf(i int) []T {
	switch {
	case i+s.mr < s.i1:
		return s.A.panel(s.I0+i+s.mr, s.pc)[:s.kc*s.mr]
	case s.j1 < s.J1-s.J0:
		return s.A.panel(s.I0+s.i0, s.pc)[:s.kc*s.mr]
	case s.last:
		return nil
	}
	return s.A.panel(s.I0+s.i0, s.pc+s.kc)[:s.nextKC()*s.mr]
}

// nextKC is the number of depths in the next k-block.
func (s *sweep[T]) nextKC() int { return min(s.macro.kc, s.A.Depth-s.pc-s.kc) }

// tailFor returns the narrowest micro-kernel for so many columns.
func (s *sweep[T]) tailFor(cols int) *tail[T] {
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
