package gemm

import (
	"math"

	"matmul/internal/elem"
	"matmul/internal/failpoint"
)

// Checked is [Multiply], and then reports whether C is right as far as sums of
// its rows and columns show (Huang and Abraham, Algorithm-Based Fault Tolerance
// for Matrix Operations, 1984): with e all ones,
//
//	C·e = A·(B·e) + β·C₀·e   and   eᵀ·C = (eᵀ·A)·B + β·eᵀ·C₀
//
// the latter for each block of MC rows if the panels have no checksums, up to the
// rounding errors of both sides, under a bound that no right C can exceed. The sums of
// C are taken from where it was stored, some rows at a time. B·e and eᵀ·A come from
// the checksums of the panels, where there are some, and else from the panels, or from
// the copies that Multiply made on the way. Where a bound is not
// finite, C is computed once more and its bits are compared, and the panels are
// compared with their checksums. C0 must not lie in C.
func Checked[T elem.Float](k *Kernel, b Blocking, ws *Workspace[T], t Tile[T]) (right bool) {
	c := &ws.check
	c.measured, c.wrong, c.unsure = false, false, false
	multiply(k, b, ws, t, c)
	switch {
	case c.wrong:
		return false
	case c.unsure:
		return !Damaged(&t.A, t.I0, t.I1) && !Damaged(&t.B, t.J0, t.J1) && twice(k, b, ws, t)
	}
	return true
}

// againRows and againCols are the most rows and columns of C that are computed
// again at a time.
const (
	againRows = 256
	againCols = 4096
)

// twice reports whether a tile that is computed once more has the same bits. Of
// NaNs only that they are NaNs is compared.
func twice[T elem.Float](k *Kernel, b Blocking, ws *Workspace[T], t Tile[T]) bool {
	rows, cols := max(againRows/k.MR, 1)*k.MR, max(againCols/k.NR, 1)*k.NR
	m, n := t.I1-t.I0, t.J1-t.J0
	ws.check.again = grown(ws.check.again, min(rows, m)*min(cols, n))
	for i := 0; i < m; i += rows {
		for j := 0; j < n; j += cols {
			s := t
			s.I0, s.I1 = t.I0+i, min(t.I0+i+rows, t.I1)
			s.J0, s.J1 = t.J0+j, min(t.J0+j+cols, t.J1)
			if s.C0 != nil {
				s.C0 = t.C0[i*t.LDC0+j:]
			}
			s.LDC = s.J1 - s.J0
			s.C = ws.check.again[:(s.I1-s.I0)*s.LDC]
			multiply(k, b, ws, s, nil)
			for r := range s.I1 - s.I0 {
				if !sameBits(t.C[(i+r)*t.LDC+j:][:s.LDC], s.C[r*s.LDC:][:s.LDC]) {
					return false
				}
			}
		}
	}
	return true
}

func sameBits[T elem.Float](x, y []T) bool {
	for i := range x {
		switch {
		case x[i] != x[i] && y[i] != y[i]:
		case x[i] != y[i] || math.Signbit(float64(x[i])) != math.Signbit(float64(y[i])):
			return false
		}
	}
	return true
}

// A checker collects the sums that C must have while a tile is computed. The
// magnitudes that bound their rounding errors are collected only if a sum is off by more
// than is sure from parts of sums alone: rarely.
type checker[T elem.Float] struct {
	rows, cols sums       // of C, as they must be, for the block of rows at work
	ofA, ofB   depthly[T] // sums over the lanes of A and B, for the k-block at work
	allB       []T        // those of B for all depths, if several blocks of rows need them
	acc        []T        // scratch of strips
	c0, c      margins[T] // of C₀ and of C, as they are
	size       sums       // scratch of magnitudes
	a          patch[T]   // the micro-panel of A at work
	again      []T

	whole    bool // columns are summed over all rows of the tile, not over a block of them
	measured bool // magnitudes were needed
	wrong    bool // a sum is off
	unsure   bool // a sum has no finite bound
}

// depthly are sums over the lanes of an operand, one for each depth: weights for the
// other one.
type depthly[T elem.Float] struct {
	known bool // from checksums, or since all lanes were met
	sums  []T
}

// begin prepares for a block of rows of a tile. With checksums of both operands, B is
// read for all rows at once, when the first of them are computed.
func (c *checker[T]) begin(x *macro[T], i0, i1, n int) {
	c.whole = x.a.summed(x.I0, x.I1) && x.b.summed(x.J0, x.J1)
	c.rows.reset(i1 - i0)
	c.c.begin(i1-i0, n)
	if c.whole && i0 == 0 {
		c.allB = grown(c.allB, x.A.Packed.Depth)
	}
	if i0 == 0 || !c.whole {
		c.cols.reset(n)
		c.c.cols.reset(n)
	}
	if x.C0 == nil {
		return
	}
	c.c0.begin(i1-i0, n)
	c.c0.cols.reset(n)
	for i := i0; i < i1; i += x.mr {
		c.c0.add(x, &patch[T]{x.C0[i*x.LDC0:], min(x.mr, i1-i), n, x.LDC0, 1}, i-i0, 0)
	}
	c.c0.settle()
	for i, v := range c.c0.rows.value {
		c.rows.add(i, v*float64(x.Beta))
	}
	for j, v := range c.c0.cols.value {
		c.cols.add(j, v*float64(x.Beta))
	}
}

// margins are the sums of the rows and of the columns of a block of C or C₀, a
// few rows at a time.
type margins[T elem.Float] struct {
	rows, cols   sums
	across, down []T // what strips have added up: of columns, up to bandRows of each
}

// begin begins the sums of m rows, and goes on with those of n columns.
func (g *margins[T]) begin(m, n int) {
	g.rows.reset(m)
	g.across, g.down = cleared(g.across, m), cleared(g.down, n)
}

// add adds up a patch, MR rows from row i on, or those that are left, and columns
// from column j on.
func (g *margins[T]) add(x *macro[T], b *patch[T], i, j int) {
	down := g.down[j:][:b.cols]
	x.strips.both(b, ones[T](), down, g.across[i:])
	if i+b.n == len(g.rows.value) || (i+b.n)/bandRows > i/bandRows {
		flush(down, g.cols.from(j))
	}
}

// settle completes the sums.
func (g *margins[T]) settle() { flush(g.across, g.rows) }

// cleared returns scratch of n elements, zeroed.
func (c *checker[T]) cleared(n int) []T {
	c.acc = cleared(c.acc, n)
	return c.acc
}

// beginDepths prepares for a k-block: the sums of operands that have checksums
// are known, those of others are begun.
func (c *checker[T]) beginDepths(x *macro[T], i0, i1, n, pc, kc int) {
	c.ofA.known = x.a.summed(x.I0+i0, x.I0+i1)
	c.ofB.known = x.b.summed(x.J0, x.J1)
	switch {
	case !c.ofA.known:
		c.ofA.sums = cleared(c.ofA.sums, kc)
	case !c.whole:
		c.ofA.sums = c.addUp(x, &x.a, c.ofA.sums, x.I0+i0, x.I0+i1, pc, kc, values)
	case i0 == 0:
		c.ofA.sums = c.addUp(x, &x.a, c.ofA.sums, x.I0, x.I1, pc, kc, values)
	}
	switch {
	case !c.ofB.known:
		c.ofB.sums = cleared(c.ofB.sums, kc)
	case !c.whole:
		c.ofB.sums = c.addUp(x, &x.b, c.ofB.sums, x.J0, x.J1, pc, kc, values)
	default:
		if c.ofB.sums = c.allB[pc:][:kc]; i0 == 0 {
			c.addUp(x, &x.b, c.ofB.sums, x.J0, x.J1, pc, kc, values)
		}
	}
}

// addUp returns the checksums of lanes l0 to l1 at depths pc to pc+kc, added up.
func (c *checker[T]) addUp(x *macro[T], f *feed[T], to []T, l0, l1, pc, kc int, o of) []T {
	group := SumLanes(f.width)
	groups := (l1 - l0 + group - 1) / group
	to = grown(to, kc)
	for p, n := pc, 0; p < pc+kc; p += n {
		n = sumsFrom(p, pc+kc-p)
		acc := c.cleared(sumDepths)
		sums := f.Sums.at(&f.Packed, l0, p/sumDepths*sumDepths, o)[:groups*sumDepths]
		if x.checksums != nil {
			x.checksums(groups, sums, acc)
		} else {
			for g := 0; g < groups; g += stripRows {
				b := patch[T]{sums[g*sumDepths:], min(stripRows, groups-g), sumDepths, sumDepths, 1}
				x.strips.down(&b, ones[T](), acc, values)
			}
		}
		copy(to[p-pc:][:n], acc[p%sumDepths:])
	}
	return to
}

// summed reports whether there are checksums for lanes l0 to l1, which cut no
// group.
func (f *feed[T]) summed(l0, l1 int) bool {
	group := SumLanes(f.width)
	return f.Sums != nil && l0%group == 0 && (l1%group == 0 || l1 == f.Packed.Lanes)
}

// columns adds what a sweep's block of B, which is in L2, makes of the sums of
// columns. With the last block the sums over B are complete.
func (c *checker[T]) columns(s *sweep[T]) {
	acc := c.cleared(s.j1 - s.j0)
	for p := 0; p < s.kc; p += stripRows {
		s.eachColumn(p, min(stripRows, s.kc-p), func(j int, b patch[T]) {
			if to := acc[j-s.j0:][:b.cols]; c.ofB.known {
				s.strips.down(&b, c.ofA.sums[p:], to, values)
			} else {
				s.strips.both(&b, c.ofA.sums[p:], to, c.ofB.sums[p:])
			}
		})
		flush(acc, c.cols.from(s.j0))
	}
	c.ofB.known = c.ofB.known || s.lastColumns()
}

// lastColumns reports whether a sweep has the last columns of the tile.
func (s *sweep[T]) lastColumns() bool { return s.j1 == s.J1-s.J0 }

// row is told that a micro-panel of A, which is still in L1, has met the B block of a
// sweep: that of the rows of C from i on. It is added up in the first sweep of a
// k-block, and what it makes of the sums of rows in the last one, once the sums over
// B are known. Columns are done after the first rows, if the sums over A are known:
// later, B's next block is on its way to L2. In the last k-block rows of C have
// been stored, and have not left L2.
func (c *checker[T]) row(s *sweep[T], i int) {
	if !c.ofA.known {
		for p := 0; p < s.kc; p += stripRows {
			s.microPanel(&c.a, i, p)
			s.strips.across(&c.a, ones[T](), c.ofA.sums[p:], values)
		}
	} else if i == s.i0 && (i == 0 || !c.whole) {
		c.columns(s)
	}
	if c.ofB.known && s.lastColumns() {
		c.addRow(s, i)
	}
	if s.last {
		if i == s.i0 && s.j0 == 0 {
			failpoint.Flip("gemm.stored", elem.Bytes(s.C[i*s.LDC:][:s.j1]))
		}
		if s.Step != nil {
			s.Step()
		}
		c.c.add(s.macro, &patch[T]{s.C[i*s.LDC+s.j0:], min(s.mr, s.i1-i), s.j1 - s.j0, s.LDC, 1}, i-s.i0, s.j0)
	}
}

// endSweep does the columns of a sweep in which the sums over A were completed, and
// the rows, if that was the only sweep.
func (c *checker[T]) endSweep(s *sweep[T]) {
	if c.ofA.known {
		return
	}
	c.ofA.known = true
	known := c.ofB.known
	c.columns(s)
	if !known && c.ofB.known {
		for i := s.i0; i < s.i1; i += s.mr {
			c.addRow(s, i)
		}
	}
}

func (c *checker[T]) addRow(s *sweep[T], i int) {
	acc := c.cleared(s.mr)
	for p := 0; p < s.kc; p += stripRows {
		s.microPanel(&c.a, i, p)
		s.strips.down(&c.a, c.ofB.sums[p:], acc, values)
		flush(acc[:c.a.cols], c.rows.from(i-s.i0))
	}
}

// eachColumn calls use with n depths from the p-th of the k-block on of each
// micro-panel of B in the sweep, or of the part of it that a call of a micro-kernel
// takes, from column j of C on.
func (s *sweep[T]) eachColumn(p, n int, use func(j int, b patch[T])) {
	for j := s.j0; j < s.j1; {
		blocks, cols := s.span(j)
		x, _, row, panel := s.b.at(s.J0+j, s.pc, s.kc)
		if s.J0+j < s.b.from {
			panel = cols
		}
		for range blocks {
			use(j, patch[T]{x[p*row:], n, cols, row, 1})
			x, j = next(x, panel), j+cols
		}
	}
}

// microPanel sets a to the micro-panel of A for the rows of C from i on, at most
// stripRows of its depths from the p-th of the k-block on. (It is filled where it is: a
// copy would have to wait until all that was stored before is in the cache, among it
// the blocks of C.)
func (s *sweep[T]) microPanel(a *patch[T], i, p int) {
	x, lane, depth, _ := s.a.at(s.I0+i, s.pc, s.kc)
	a.x, a.n, a.cols, a.step, a.lane = x[p*depth:], min(stripRows, s.kc-p), min(s.mr, s.i1-i), depth, lane
}

// compare compares the sums of rows i0 to i1 of C with what they must be, and those of
// columns when they are complete.
func (c *checker[T]) compare(x *macro[T], i0, i1, n int) {
	k, p := x.A.Packed.Depth, precisionOf[T]()
	c.c.settle()
	c.judge(&c.c.rows, &c.rows, p.sumBound(n, k, i1-i0), func() {
		c.magnitudes(x, &x.a, &x.b, x.I0+i0, x.I0+i1, x.J0, x.J1, c.rows.size)
		x.eachC0(i0, i1, func(i, _ int, size float64) { c.rows.size[i-i0] += size })
	})
	if c.whole {
		i0 = 0
	}
	if i1 == x.I1-x.I0 || !c.whole {
		c.judge(&c.c.cols, &c.cols, p.sumBound(i1-i0, k, n), func() {
			c.magnitudes(x, &x.b, &x.a, x.J0, x.J1, x.I0+i0, x.I0+i1, c.cols.size)
			x.eachC0(i0, i1, func(_, j int, size float64) { c.cols.size[j] += size })
		})
	}
}

// judge compares sums, which mostly are near enough for the magnitudes that are known;
// where they are not, all sums get those of all elements.
func (c *checker[T]) judge(is, must *sums, b sumBound, measure func()) {
	if wrong, unsure := b.below().judge(is, must); !wrong && !unsure {
		return
	}
	measure()
	c.measured = true
	wrong, unsure := b.judge(is, must)
	c.wrong, c.unsure = c.wrong || wrong, c.unsure || unsure
}

// magnitudes sets to, for each of lanes l0 to l1 of f, the sum over depths of its
// magnitude times the sum of those of lanes q0 to q1 of g: in panels with checksums,
// those that g had when it was packed.
func (c *checker[T]) magnitudes(x *macro[T], f, g *feed[T], l0, l1, q0, q1 int, to []float64) {
	c.size.reset(len(to))
	for pc := 0; pc < x.A.Packed.Depth; pc += stripRows {
		kc := min(stripRows, x.A.Packed.Depth-pc)
		w := c.weights(x, g, q0, q1, pc, kc)
		f.each(l0, l1, pc, kc, func(l int, b patch[T]) {
			acc := c.cleared(b.cols)
			x.strips.down(&b, w, acc, magnitudes)
			flush(acc, c.size.from(l))
		})
	}
	for l, v := range c.size.value {
		to[l] = v * f.scale() * g.scale()
	}
}

// weights returns the sums of magnitudes of lanes l0 to l1 of f, without its scale, for
// each of kc depths.
func (c *checker[T]) weights(x *macro[T], f *feed[T], l0, l1, pc, kc int) []T {
	w := make([]T, kc)
	if f.summed(l0, l1) {
		return c.addUp(x, f, w, l0, l1, pc, kc, magnitudes)
	}
	f.each(l0, l1, pc, kc, func(_ int, b patch[T]) { x.strips.across(&b, ones[T](), w, magnitudes) })
	return w
}

// each calls use with kc depths of lanes l0 to l1, in panels or where they are stored,
// a part at a time: from the l-th of them on.
func (f *feed[T]) each(l0, l1, pc, kc int, use func(l int, b patch[T])) {
	for l := l0; l < l1 && f.Packed.Data == nil; l += stripRows {
		use(l-l0, patch[T]{f.Stored.from(l, pc), kc, min(stripRows, l1-l), f.Stored.DepthStride, f.Stored.LaneStride})
	}
	for l := l0; l < l1 && f.Packed.Data != nil; l += f.width {
		use(l-l0, patch[T]{f.Packed.panel(l, pc), kc, min(f.width, l1-l), f.width, 1})
	}
}

// scale returns the magnitude that the elements of each are still to be multiplied by.
func (f *feed[T]) scale() float64 {
	if f.Packed.Data == nil {
		return math.Abs(float64(f.Scale))
	}
	return 1
}

// eachC0 calls use with the magnitude of what each element of rows i0 to i1 starts from.
func (x *macro[T]) eachC0(i0, i1 int, use func(i, j int, size float64)) {
	for i := i0; i < i1 && x.C0 != nil; i++ {
		for j, v := range x.C0[i*x.LDC0:][:x.J1-x.J0] {
			use(i, j, math.Abs(float64(x.Beta)*float64(v)))
		}
	}
}

// CheckScratch returns the bytes that [Checked] takes, at most, besides what
// [Scratch] says.
func CheckScratch(k *Kernel, b Blocking, m, n, depth int) int64 {
	b = k.most(b, depth, false)
	size, kc, rows := int64(k.Type.Size()), int64(min(b.KC+k.NR, depth)), int64(min(max(b.MC, mostSumLanes), m))
	again := int64(min(againRows+k.MR, m)) * int64(min(againCols+k.NR, n)) * size
	perDepth, perRow, perCol := 2*size, 2*(16+size)+32, 2*(16+size)+32+size
	return again + int64(depth)*size + kc*perDepth + rows*perRow + int64(n)*perCol + stripRows*(2*size+16)
}
