package gemm

import (
	"matmul/internal/elem"
	"matmul/internal/failpoint"
)

// macro is the macro-kernel at work on one tile. Its loops, from the outside:
// ic over MC rows, pc over KC depths, jc over NC columns, ir over the
// micro-panels of A, jr over those of B. An A micro-panel stays in L1 for jr,
// the B block in L2 for ir, MC×KC of A in L3 for jc. Between two k-blocks the
// sums rest in the workspace, as contiguous blocks in the order of the loops;
// only the last k-block stores to C, whose rows lie far apart.
//
// Operands that are not packed are packed on the way, each block just before
// it is used for the first time.
type macro[T elem.Float] struct {
	Tile[T]
	a, b             feed[T]
	tails            []tail[T]
	mr, nr           int
	mc, kc, nc       int
	turnSteps        int // of the micro-kernels
	maxSteps         int // of one call
	ws               *Workspace[T]
	directA, directB bool        // read where they are stored, always
	once             bool        // one k-block: sums need not rest, and a row of blocks serves all rows
	check            *checker[T] // nil for none
	strips           strips[T]
	checksums        func(n int, x, sum []T) // adds up rows of them
	digester         digester[T]
}

// newMacro sets up the macro-kernel that ws keeps, so that small tiles need no
// garbage collection.
func newMacro[T elem.Float](k *Kernel, b Blocking, ws *Workspace[T], t *Tile[T], c *checker[T]) *macro[T] {
	m, n, depth := t.I1-t.I0, t.J1-t.J0, t.A.Packed.Depth
	packedA, packedB := t.A.Packed.Data != nil, t.B.Packed.Data != nil
	r := routinesOf[T](k)
	x := &ws.macro
	*x = macro[T]{
		Tile: *t, tails: r.tails, turnSteps: r.turnSteps, mr: k.MR, nr: k.NR, ws: ws, check: c,
		maxSteps: maxFMAs / (k.MR * k.NR / r.tails[0].cols), // the narrowest has one vector in a row
		a:        feed[T]{Operand: &x.A, k: k, width: k.MR}, b: feed[T]{Operand: &x.B, k: k, width: k.NR},
		strips: r.strips, checksums: r.checksums, digester: r.digester,
	}
	if x.directA = n <= fewPanels*k.NR && x.a.readable(t.A.Stored.DepthStride); x.directA {
		x.a.from = t.I0 + m/k.MR*k.MR
	}
	b = k.most(b, packedA && packedB)
	row := t.B.Stored.DepthStride * k.Type.Size()
	near := m <= k.MR || row%pageSize != 0 && blockSize(b.KC, depth, 4)*row <= nearBytes
	if x.directB = near && x.b.readable(t.B.Stored.LaneStride); x.directB {
		x.b.from = t.J0 + n/k.NR*k.NR
		if rest := n % k.NR; rest == x.tailFor(rest).cols {
			x.b.from = t.J1
		}
	}
	cut := 1
	if x.b.readable(t.B.Stored.LaneStride) && !x.directB {
		cut = k.cut(m)
	}
	b = b.fit(depth, cut, x.directA && n <= b.NC/shallow)
	x.mc, x.nc, x.kc = blockSize(b.MC, m, k.MR), blockSize(b.NC, n, k.NR), blockSize(b.KC, depth, 4)
	x.once = depth <= x.kc
	held := x.mc / x.mr
	if x.once {
		held = 1
	}
	ws.reserve(held*((n-1)/x.nr+1), x.mr*x.nr)
	if lanes := x.mc; !packedA {
		if x.directA {
			lanes = k.MR // that do not fill a micro-panel
		}
		x.a.block = ws.a.reserve(lanes * x.kc)
	}
	if !packedB {
		x.b.block = ws.b.reserve(x.nc * x.kc)
	}
	return x
}

// most returns the largest blocks that b asks for; zero is the kernel's own
// size. packed says that both operands lie in panels.
func (k *Kernel) most(b Blocking, packed bool) Blocking {
	or := func(want, usual int) int {
		if want <= 0 {
			return usual
		}
		return want
	}
	b = Blocking{MC: or(b.MC, k.MC), KC: or(min(b.KC, maxKC), k.KC), NC: or(b.NC, k.NC)}
	if packed {
		b.MC = min(b.MC, packedMC)
	}
	return b
}

// fit gives a block of B another shape, but not another size, where that suits a tile.
// With a depth that is a small part of KC it has more columns: each row of C, which is
// then most of what is moved, lies in pages of its own. So it has if KC is cut in parts.
// Where the tile is narrow it is deeper: each row of A is then read in longer pieces.
func (b Blocking) fit(depth, cut int, narrow bool) Blocking {
	small := max(1, b.KC/shallow)
	switch kc := max(1, b.KC/cut); {
	case narrow:
		b.KC = min(b.KC*shallow, maxKC)
	case cut > 1:
		b.KC, b.NC = kc, b.NC*b.KC/kc
	}
	if depth > 0 && depth <= small {
		b.NC = b.NC * b.KC / depth
	}
	return b
}

// cut returns into how many parts KC is cut for a tile of m rows that packs rows of B: the
// fewer its micro-panels are, the more weighs the first one at each block, which waits for
// B from as many pages as there are steps.
func (k *Kernel) cut(m int) int {
	switch {
	case m <= lowPanels*k.MR:
		return 3
	case m <= halfPanels*k.MR:
		return 2
	}
	return 1
}

// When operands are read where they are stored, without packing: A, if it
// meets so few micro-panels of B that packing would not pay; B,
// if the rows of a block lie so near to each other that they stay in L2, and not at the
// same place of pages, where they share few sets of it, or if they are used once.
const (
	fewPanels = 16
	nearBytes = 1 << 20
)

// What tiles and blocks are to be called: see fit and cut.
const (
	shallow    = 3  // part of KC, or of NC, that is a small one
	lowPanels  = 24 // micro-panels of A, at most, of a low tile
	halfPanels = 64 // likewise, for which KC is halved
)

// packedMC is the most rows at a time of operands that lie in panels: these
// cost little to read once more, and the sums of more rows take memory that a
// job whose operands come from files was not asked for.
const packedMC = 512

// blockSize splits total into the fewest blocks of at most want elements, all
// about the same size and multiples of unit: a short last block would cost as
// much overhead as a long one.
func blockSize(want, total, unit int) int {
	want = max(1, want/unit) * unit
	blocks := (total-1)/want + 1
	size := (total-1)/blocks + 1
	return (size-1)/unit*unit + unit
}

// rows computes rows i0 to i1 of the tile, all of its n columns.
func (x *macro[T]) rows(i0, i1, n int) {
	depth := x.A.Packed.Depth
	if !x.directA {
		x.a.from = x.I0 + i0
	}
	if x.check != nil {
		x.check.begin(x, i0, i1, n)
	}
	for pc := 0; pc < depth; pc += x.kc {
		kc := min(x.kc, depth-pc)
		if pc > 0 {
			failpoint.Flip("gemm.accumulators", elem.Bytes(x.ws.blocks[:x.mr*x.nr]))
		}
		if x.check != nil {
			x.check.beginDepths(x, i0, pc, kc)
		}
		for jc := 0; jc < n; jc += x.nc {
			s := sweep[T]{
				macro: x, i0: i0, i1: i1, j0: jc, j1: min(jc+x.nc, n), pc: pc, kc: kc,
				fromZero: pc == 0 && x.C0 == nil, last: pc+kc == depth,
			}
			if !x.once {
				s.at = (i1 - i0 + x.mr - 1) / x.mr * jc * x.mr
			}
			s.run()
			if x.Step != nil {
				x.Step()
			}
		}
	}
	if x.check == nil {
		failpoint.Flip("gemm.stored", elem.Bytes(x.C[i0*x.LDC:][:n]))
	} else {
		x.check.compare(x, i0, i1, n)
	}
}

// halves reports whether the last of so many columns are two blocks of equal
// width instead of a whole one and the narrowest tail, which has not enough to
// do to hide its loads. Panels that somebody else packed do not allow it.
func (x *macro[T]) halves(cols int) bool {
	narrow := x.tails[0].cols
	half := (x.nr + narrow) / 2
	return cols > x.nr && cols%x.nr == narrow && x.tailFor(half).cols == half && x.b.readable(x.B.Stored.LaneStride)
}
