package gemm

import (
	"math"

	"matmul/internal/elem"
	"matmul/internal/failpoint"
)

// Checked is [Multiply], and then reports whether C is right as far as the sums of its
// rows show (Huang and Abraham, Algorithm-Based Fault Tolerance for Matrix Operations,
// 1984): with e all ones,
//
//	C·e = A·(B·e) + β·C₀·e
//
// up to the rounding errors of both sides, under a bound that no right C can exceed. The
// sums of C are taken from where it was stored, some rows at a time. B·e comes from the
// checksums of B's panels, and so shows their changes, or, where there are none, from
// what the first block of rows reads of B. A's panels are compared with their digests
// when they are read for A·(B·e). Since a tile that is wrong is computed again, and not
// mended, no sums of columns are needed to find the place. Where a bound is not
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

// A checker collects the sums that rows of C must have while a tile is computed. The
// magnitudes that bound their rounding errors are collected only if a sum is off by more
// than is sure from parts of sums alone: rarely.
type checker[T elem.Float] struct {
	ofB     []T       // B·e: the sums over the lanes of B, for each depth
	known   bool      // all lanes were added, at the depths of the k-block at work
	rows    sums      // of C, as they must be, for the block of rows at work
	digests []uint64  // of these rows of A
	c0, c   margin[T] // of C₀ and of C, as they are
	size    sums      // scratch of magnitudes
	acc     []T       // scratch of strips
	a       patch[T]  // the micro-panel of A at work
	again   []T

	measured bool // magnitudes were needed
	wrong    bool // a sum is off, or a panel has changed
	unsure   bool // a sum has no finite bound
}

// begin prepares for a block of rows of a tile.
func (c *checker[T]) begin(x *macro[T], i0, i1, n int) {
	if i0 == 0 {
		c.ofB = cleared(c.ofB, x.A.Packed.Depth)
	}
	c.rows.reset(i1 - i0)
	c.digests = cleared(c.digests, i1-i0)
	c.c.begin(i1 - i0)
	if x.C0 == nil {
		return
	}
	c.c0.begin(i1 - i0)
	for i := i0; i < i1; i += x.mr {
		c.c0.add(x.strips, x.C0[i*x.LDC0:], x.LDC0, min(x.mr, i1-i), n, i-i0)
	}
	c.c0.settle()
	for i, v := range c.c0.value {
		c.rows.add(i, v*float64(x.Beta))
	}
}

// A margin is the sums of the rows of a block of C or C₀.
type margin[T elem.Float] struct {
	sums
	across []T // what strips have added up
}

func (g *margin[T]) begin(m int) {
	g.reset(m)
	g.across = cleared(g.across, m)
}

// add adds so many rows of n elements, ld apart, from row i on.
func (g *margin[T]) add(s strips[T], x []T, ld, rows, n, i int) {
	for j := 0; j < n; j += stripRows {
		s.across(&patch[T]{x[j:], rows, min(stripRows, n-j), ld, 1}, ones[T](), g.across[i:], values)
	}
}

// settle completes the sums.
func (g *margin[T]) settle() { flush(g.across, g.sums) }

// cleared returns scratch of n elements, zeroed.
func (c *checker[T]) cleared(n int) []T {
	c.acc = cleared(c.acc, n)
	return c.acc
}

// beginDepths prepares for a k-block. Sums over B are made in the first block of rows,
// from checksums, if there are some.
func (c *checker[T]) beginDepths(x *macro[T], i0, pc, kc int) {
	c.known = i0 > 0
	if !c.known && x.b.summed(x.J0, x.J1) {
		c.addUp(x, c.ofB[pc:][:kc], pc)
		c.known = true
	}
}

// addUp adds up the checksums of the tile's columns, at depths from pc on.
func (c *checker[T]) addUp(x *macro[T], to []T, pc int) {
	group := SumLanes(x.nr)
	groups := (x.J1 - x.J0 + group - 1) / group
	for p, n := pc, 0; p < pc+len(to); p += n {
		n = sumsFrom(p, pc+len(to)-p)
		acc := c.cleared(SumDepths)
		sums := x.B.Sums.at(&x.B.Packed, x.J0, p/SumDepths*SumDepths)[:groups*SumDepths]
		if x.checksums != nil {
			x.checksums(groups, sums, acc)
		} else {
			for g := 0; g < groups; g += stripRows {
				b := patch[T]{sums[g*SumDepths:], min(stripRows, groups-g), SumDepths, SumDepths, 1}
				x.strips.down(&b, ones[T](), acc, values)
			}
		}
		copy(to[p-pc:][:n], acc[p%SumDepths:])
	}
}

// summed reports whether there are sums for lanes l0 to l1, which cut no group.
func (f *feed[T]) summed(l0, l1 int) bool {
	group := SumLanes(f.width)
	return f.Sums != nil && l0%group == 0 && (l1%group == 0 || l1 == f.Packed.Lanes)
}

// row is told that a micro-panel of A, which has not left L2, has met the B block of a
// sweep: that of the rows of C from i on. B without sums is summed after the first rows:
// later, its next block is on its way to L2. What a micro-panel makes of the sums of rows
// is added up in the last sweep of a k-block, once the sums over B are known. In the last
// k-block rows of C have been stored, and have not left L2.
func (c *checker[T]) row(s *sweep[T], i int) {
	if !c.known && i == s.i0 {
		for p := 0; p < s.kc; p += stripRows {
			s.eachColumn(p, min(stripRows, s.kc-p), func(b patch[T]) {
				s.strips.across(&b, ones[T](), c.ofB[s.pc+p:], values)
			})
		}
		c.known = s.lastColumns()
	}
	if s.lastColumns() {
		c.addRow(s, i)
	}
	if s.last {
		if i == s.i0 && s.j0 == 0 {
			failpoint.Flip("gemm.stored", elem.Bytes(s.C[i*s.LDC:][:s.j1]))
		}
		if s.Step != nil {
			s.Step()
		}
		c.c.add(s.strips, s.C[i*s.LDC+s.j0:], s.LDC, min(s.mr, s.i1-i), s.j1-s.j0, i-s.i0)
	}
}

// lastColumns reports whether a sweep has the last columns of the tile.
func (s *sweep[T]) lastColumns() bool { return s.j1 == s.J1-s.J0 }

func (c *checker[T]) addRow(s *sweep[T], i int) {
	acc := c.cleared(min(s.mr, s.i1-i))
	for p := 0; p < s.kc; p += stripRows {
		s.microPanel(&c.a, i, p)
		if w := c.ofB[s.pc+p:]; s.A.Digests != nil {
			s.weighDigested(&c.a, w, acc, c.digests[i-s.i0:])
		} else {
			s.strips.down(&c.a, w, acc, values)
		}
		flush(acc, c.rows.from(i-s.i0))
	}
}

// eachColumn calls use with n depths from the p-th of the k-block on of each
// micro-panel of B in the sweep, or of the part of it that a call of a micro-kernel
// takes.
func (s *sweep[T]) eachColumn(p, n int, use func(b patch[T])) {
	for j := s.j0; j < s.j1; {
		blocks, cols := s.span(j)
		x, _, row, panel := s.b.at(s.J0+j, s.pc, s.kc)
		if s.J0+j < s.b.from {
			panel = cols
		}
		for range blocks {
			use(patch[T]{x[p*row:], n, cols, row, 1})
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

// compare compares the sums of rows i0 to i1 of C with what they must be, and the panels
// of A that they were made of with their digests.
func (c *checker[T]) compare(x *macro[T], i0, i1, n int) {
	if x.A.Digests != nil && !x.A.agree(c.digests, x.I0+i0) {
		c.wrong = true
	}
	c.c.settle()
	b := precisionOf[T]().sumBound(n, x.A.Packed.Depth)
	if wrong, unsure := b.below().judge(&c.c.sums, &c.rows); !wrong && !unsure {
		return // near enough for the magnitudes that are known
	}
	c.measured = true
	c.magnitudes(x, i0, i1)
	wrong, unsure := b.judge(&c.c.sums, &c.rows)
	c.wrong, c.unsure = c.wrong || wrong, c.unsure || unsure
}

// magnitudes makes those of all elements that the sums of rows i0 to i1 are made of. What
// has changed in a panel of B changes a sum by more than it adds to the bound.
func (c *checker[T]) magnitudes(x *macro[T], i0, i1 int) {
	depth := x.A.Packed.Depth
	c.size.reset(i1 - i0)
	w := make([]T, min(stripRows, depth))
	for pc := 0; pc < depth; pc += stripRows {
		kc := min(stripRows, depth-pc)
		clear(w)
		x.b.each(x.J0, x.J1, pc, kc, func(_ int, b patch[T]) { x.strips.across(&b, ones[T](), w, magnitudes) })
		x.a.each(x.I0+i0, x.I0+i1, pc, kc, func(l int, a patch[T]) {
			acc := c.cleared(a.cols)
			x.strips.down(&a, w, acc, magnitudes)
			flush(acc, c.size.from(l))
		})
	}
	for i, v := range c.size.value {
		c.rows.size[i] = v * x.a.scale() * x.b.scale()
	}
	for i := i0; i < i1 && x.C0 != nil; i++ {
		for _, v := range x.C0[i*x.LDC0:][:x.J1-x.J0] {
			c.rows.size[i-i0] += math.Abs(float64(x.Beta) * float64(v))
		}
	}
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

// CheckScratch returns the bytes that [Checked] takes, at most, besides what
// [Scratch] says.
func CheckScratch(k *Kernel, b Blocking, m, n, depth int) int64 {
	b = k.most(b, false)
	size, rows := int64(k.Type.Size()), int64(min(max(b.MC, k.MR), m))
	again := int64(min(againRows+k.MR, m)) * int64(min(againCols+k.NR, n)) * size
	return again + (int64(depth)+stripRows)*size + rows*(4*16+2*size+8)
}
