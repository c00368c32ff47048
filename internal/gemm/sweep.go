package gemm

import "matmul/internal/elem"

// maxFMAs bounds the FMAs of vectors in one call of a micro-kernel, and so the time in
// which the Go scheduler cannot interrupt: 200 µs at 4 GHz, if a cycle does one.
const maxFMAs = 768 << 10

// maxKC is the greatest depth of a block, all of which one call does.
const maxKC = 16384

// sweep is the two inner loops, ir and jr, of one k-block.
type sweep[T elem.Float] struct {
	*macro[T]
	i0, i1, j0, j1 int // of the block of C
	pc, kc         int
	fromZero, last bool
	at             int  // where its blocks begin in the workspace
	keepB          bool // this row packs B while it uses it for the first time
}

// run does ir. Operands that are not packed are packed on the way: the first
// row packs the B block, and each row its micro-panel of A the first time.
func (s *sweep[T]) run() {
	if s.B.Packed.Data == nil && !s.directB {
		s.b.from = s.J0 + s.j0
		s.keepB = s.b.readable(s.B.Stored.LaneStride)
	}
	if !s.keepB {
		s.b.pack(s.J0+s.j0, s.J0+s.j1, s.pc, s.kc)
	}
	for i := s.together(); i < s.i1; {
		c, rows := s.hints(i), min(s.mr, s.i1-i)
		if s.pc == 0 && s.C0 != nil {
			s.startBlocks(i, rows)
		}
		s.row(&c, i, rows)
		s.keepB = false
		s.checkRows(i, c.panels)
		i += c.panels * s.mr
	}
}

// place returns where the block of C[i, j] is in the workspace: behind the blocks that
// the micro-kernel fills, of all micro-panels of A, lie the narrower ones.
func (s *sweep[T]) place(i, j int) int {
	r, rows := (i-s.i0)/s.mr, (s.i1-s.i0-1)/s.mr+1
	if s.once {
		r, rows = 0, 1
	}
	whole := s.whole(s.j0)
	n, narrow := r*whole+(j-s.j0)/s.nr, j-s.j0-whole*s.nr
	if narrow >= 0 {
		n = rows*whole + r*(s.across()-whole)
	}
	if narrow > 0 { // the second half
		n++
	}
	return s.at + n*s.mr*s.nr
}

// across returns how many blocks a row has.
func (s *sweep[T]) across() int { return (s.j1-s.j0-1)/s.nr + 1 }

// whole returns how many of those from column j on the micro-kernel fills.
func (s *sweep[T]) whole(j int) int {
	n := (s.j1 - j) / s.nr
	if s.halves(s.j1 - j) {
		n--
	}
	return n
}

// checkRows tells the checker of n micro-panels of A from row i on.
func (s *sweep[T]) checkRows(i, n int) {
	for ; s.check != nil && n > 0; n-- {
		s.check.row(s, i)
		i += s.mr
	}
}

// alike returns how many micro-panels of A, from row i on, calls of the micro-kernels can
// take, of so many for which what is fetched of B follows one another: those that are
// packed, or are on the way, up to the last but one, which fetches something else than the
// micro-panel that follows. Each call costs a part of the time.
func (s *sweep[T]) alike(i, most int) int {
	packed := s.A.Packed.Data != nil || s.I0+i >= s.a.from && (s.j0 > 0 || s.packsA() && !s.directB)
	if !packed || s.keepB || s.pc == 0 && s.C0 != nil || s.once && (s.j1-s.j0)%s.nr != 0 {
		return 1
	}
	return max(1, min(most, (s.i1-i-1)/s.mr, s.maxSteps/(s.across()*s.kc)))
}

// packsA reports whether the first block of a row can pack its micro-panel of A.
func (s *sweep[T]) packsA() bool {
	_, cols := s.span(s.j0)
	return cols == s.nr && s.A.Scale == 1
}

// startBlocks writes round(Beta·C0) to the workspace's blocks of rows of C from
// i on. What pads a block is left as it is: nothing that is stored depends on
// it.
func (s *sweep[T]) startBlocks(i, rows int) {
	for j := s.j0; j < s.j1; {
		_, cols := s.span(j)
		at := s.place(i, j)
		for r := range rows {
			s.startRow(s.ws.blocks[at+r*s.nr:][:cols], i+r, j)
		}
		j += cols
	}
}

// together does ir for whole micro-panels of A in one call of the micro-kernel
// for each width of block, and returns the row that follows them: where nothing
// is packed and all sums go straight to C, calls would cost a part of the time.
func (s *sweep[T]) together() int {
	whole := (s.i1 - s.i0) / s.mr
	if s.check != nil || !s.directA || !s.directB || !s.fromZero || !s.last || s.b.from < s.J0+s.j1 {
		return s.i0
	}
	i := s.i0
	for end := i + whole*s.mr; i < end; {
		c := call[T]{later: s.ws.zero}
		c.a, c.aRow, c.aStep, _ = s.a.at(s.I0+i, s.pc, s.kc)
		c.aPanel = s.mr * c.aRow
		c.panels = min((end-i)/s.mr, max(1, s.maxSteps/(s.kc*((s.j1-s.j0)/s.nr+1))))
		for j := s.j0; j < s.j1; {
			n, cols := s.span(j)
			c.ahead, c.aheadStep, c.aheadTurn, c.aheadPanel = c.a[min(len(c.a), c.aPanel):], c.aPanel/n, c.aRow, c.aPanel
			s.blocks(n, cols, &c, i, s.mr, j)
			j += n * cols
		}
		i += c.panels * s.mr
	}
	return i
}

// span returns the number and width of the blocks from column j on that a call
// can take together.
func (s *sweep[T]) span(j int) (n, cols int) {
	whole := s.whole(j)
	switch left := s.j1 - j; {
	case whole > 0:
		return min(whole, max(1, s.maxSteps/s.kc)), s.nr
	case left > s.nr:
		return 2, left / 2
	default:
		return 1, left
	}
}

// row runs jr: one micro-panel of A, whose rows of C are i to i+rows, or several alike,
// times all micro-panels of the B block. Those that are whole go to the micro-kernel
// together, a narrower last one to a tail of its width.
func (s *sweep[T]) row(c *call[T], i, rows int) {
	j := s.j0
	if s.j0 == 0 && s.A.Packed.Data == nil && s.I0+i >= s.a.from {
		if s.keepB || rows < s.mr || !s.packsA() {
			s.a.pack(s.I0+i, s.I0+i+rows, s.pc, s.kc)
		} else {
			n, src := 1, &s.A.Stored
			if !s.directB { // the others can read what it packs
				n, _ = s.span(j)
			}
			c.keepA, _, _, _ = s.a.at(s.I0+i, s.pc, s.kc)
			c.a, c.aRow, c.aStep, c.aPanel = src.from(s.I0+i, s.pc), src.LaneStride, src.DepthStride, s.mr*src.LaneStride
			s.blocks(n, s.nr, c, i, rows, j)
			j += n * s.nr
		}
	}
	c.a, c.aRow, c.aStep, c.aPanel = s.a.at(s.I0+i, s.pc, s.kc)
	c.keepA = nil
	for j < s.j1 {
		n, cols := s.span(j)
		s.blocks(n, cols, c, i, rows, j)
		j += n * cols
	}
}

// call is what does not depend on a row's column: its micro-panel of A, and
// what its blocks fetch, one part each.
type call[T elem.Float] struct {
	panels               int // of A, all with blocks to compute
	a                    []T
	aRow, aStep, aPanel  int
	keepA                []T
	ahead, later         []T
	aheadStep, aheadTurn int
	aheadPanel           int // from what one micro-panel fetches to what the next one does
	laterStep, laterTurn int
	alike                int // rows from this one on whose parts of later follow one another
}

// fetched moves on by the parts of n blocks of each micro-panel of A.
func (c *call[T]) fetched(n int) {
	c.ahead = c.ahead[min(len(c.ahead), n*c.aheadStep):]
	c.later = c.later[min(len(c.later), n*c.panels*c.laterStep):]
}

// blocks runs the micro-kernel on n blocks of rows×cols elements from C[i, j]
// on. Only the last k-block stores to C, and only blocks that fill the
// micro-kernel's: others it leaves in the workspace, from where their elements
// inside the tile are copied.
func (s *sweep[T]) blocks(n, cols int, c *call[T], i, rows, j int) {
	t, size := s.tailFor(cols), s.mr*s.nr
	acc := s.ws.blocks[s.place(i, j):]
	src, srcStep := acc, size
	if s.fromZero {
		src, srcStep = s.ws.zero, 0
	}
	dst, dstStep, dstPanel, ldd := acc, size, n*size, s.nr
	direct := s.last && rows == s.mr && cols == t.cols
	if direct {
		dst, dstStep, dstPanel, ldd = s.C[i*s.LDC+j:], cols, s.mr*s.LDC, s.LDC
	}
	b, bRow, bPanel, keepB := s.columns(cols == t.cols, cols, j)
	t.run(s.kc, n, c.panels, c.a, c.aRow, c.aStep, c.aPanel, b, bRow, bPanel, c.keepA, keepB, src, srcStep, dst, dstStep, dstPanel, ldd,
		c.ahead, c.aheadStep, c.aheadPanel-n*c.aheadStep, c.aheadTurn, c.later, c.laterStep, c.laterTurn)
	c.fetched(n)
	for p := 0; s.last && !direct && p < c.panels; p++ {
		s.store(acc[p*n*size:], n, cols, i+p*s.mr, rows, j)
	}
}

// columns returns the micro-panels of B from column j on, cols of each, and
// where to keep them. Of those that are kept, each has the room of a whole one.
func (s *sweep[T]) columns(whole bool, cols, j int) (b []T, row, panel int, keep []T) {
	l := s.J0 + j
	if s.keepB && !whole {
		s.b.pack(l, l+cols, s.pc, s.kc)
	}
	b, _, row, panel = s.b.at(l, s.pc, s.kc)
	if s.keepB && whole {
		keep = b
		b, row = s.B.Stored.from(l, s.pc), s.B.Stored.DepthStride
	}
	if keep != nil || l < s.b.from {
		panel = cols
	}
	return b, row, panel, keep
}

// hints returns what the blocks of row i fetch: the micro-panel of A that
// comes next, and a share of the B block that comes next.
func (s *sweep[T]) hints(i int) (c call[T]) {
	c.ahead, c.later, c.alike = s.ws.zero, s.ws.zero, s.i1-s.i0
	s.nextB(&c, (i-s.i0)/s.mr)
	c.panels = s.alike(i, c.alike)
	s.nextA(&c, i)
	return c
}

// nextA sets what the blocks of row i fetch of the micro-panel of A that follows
// it: the next of these rows, or their first one again for the next NC columns,
// or the first of the next k-block. One that is not packed yet is fetched row
// by row as it is stored, or, where depths are rows, in parts that overlap.
func (s *sweep[T]) nextA(c *call[T], i int) {
	l, pc, kc, packed := s.I0+i+s.mr, s.pc, s.kc, s.j0 > 0
	switch {
	case i+s.mr < s.i1:
	case s.j1 < s.J1-s.J0:
		l, packed = s.I0+s.i0, true
	case s.last:
		return
	default:
		l, pc, kc, packed = s.I0+s.i0, s.pc+s.kc, s.nextKC(), false
	}
	src, blocks := &s.A.Stored, s.across()
	c.aheadTurn, c.aheadPanel = (s.turnSteps*s.mr-1)/blocks+1, s.mr*src.LaneStride
	switch {
	case s.A.Packed.Data != nil || packed && l >= s.a.from:
		c.ahead, _, _, c.aheadPanel = s.a.at(l, pc, kc)
		c.aheadStep = kc * s.mr / blocks
	case src.DepthStride == 1:
		c.ahead, c.aheadStep, c.aheadTurn = src.from(l, pc), src.LaneStride, s.turnSteps
		s.ws.touched = touch(c.ahead, min(c.panels*s.mr, s.I0+s.i1-l), c.aheadStep, kc)
	default:
		c.ahead, c.aheadStep, c.aheadTurn = src.from(l, pc), kc/blocks*src.DepthStride, src.DepthStride
	}
}

// touch reads the ends of so many rows of n elements, stride apart: each lies in pages
// of its own. The processor looks these up together, and not one after the other when
// they are fetched from: a fetch that waits for a page can hold up all that follows.
func touch[T elem.Float](x []T, rows, stride, n int) (sum T) {
	for r := range rows {
		sum += x[r*stride] + x[r*stride+n-1]
	}
	return sum
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
			copy(s.C[(i+r)*s.LDC+j+q*cols:][:cols], blk[r*s.nr:])
		}
	}
}
