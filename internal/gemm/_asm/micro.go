package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// unroll is the number of steps in one turn of the main loops.
const unroll = 4

// leads are how many steps early lines are fetched. A step of AVX-512 takes half
// the time on processors whose units are as wide as its registers.
type leads struct {
	keptB, keptA int  // that rows of B, columns of A are copied to: stores that miss L1 wait for each other
	a            int  // of a micro-panel of A, which B drives out of L1; 0 to leave it to the hardware
	src          bool // of the next block but one, into L2
}

func (s shape) leads() leads {
	if s.vector == 64 {
		return leads{keptB: 24, keptA: 96, a: 24, src: true}
	}
	return leads{keptB: 8, keptA: 32}
}

// srcTurn is how many bytes of the next block but one each turn moves on: with
// the turns of KC steps, those of a block.
const srcTurn = 16

// micro is a micro-kernel under construction. What the loops do not need in
// registers lies on the stack, some of it in the arguments' own places.
type micro struct {
	shape
	lead             leads
	cols, vecs       int
	a, aRow, aTriple GPVirtual // op(A) at the current step; its row stride, and three times that
	aHigh, aStep     GPVirtual // the upper rows; from one step to the next
	b, bRow          GPVirtual // op(B) at the current step, from one step to the next
	keep             GPVirtual // where the rows of B are copied to
	fetch, ahead     GPVirtual // rows of B and elements of A to fetch
	later            GPVirtual // elements of B to fetch into L2
	turns            GPVirtual // turns of a main loop left to do
	next, touch      GPVirtual // rows to fetch, of the next block and of dst
	ldd              GPVirtual
	panels           bool // whether the body at hand reads micro-panels only: its strides are constants
	packed           Mem  // 1 if the next block does
	rest, near       Mem  // steps that no turn does; turns that touch rows
	early            Mem  // turns by which rows of B are fetched early
	left             Mem  // blocks of this panel still to do
	panelA           Mem  // where a panel begins
	panelB, panelDst Mem  // where a panel's blocks begin
	kept             Mem  // where the panel of A is kept
	acc              [][]VecVirtual
	row, element     []VecVirtual    // of B, of A
	column           VecVirtual      // of A, to be kept; nil if its elements are stored one by one
	lane             []OpmaskVirtual // where column has row i+1
}

// microKernel generates the micro-kernel for the first cols columns.
func (s shape) microKernel(cols int) {
	TEXT(fmt.Sprintf("%sx%d", s.name("micro"), cols), NOSPLITattr, fmt.Sprintf(
		"func(k, blocks, panels int, a []%[1]s, aRow, aStep, aPanel int, b []%[1]s, bRow, bStep int, keepA, keepB, src []%[1]s, srcStep int, dst []%[1]s, dstStep, dstPanel, ldd int, ahead []%[1]s, aheadStep, aheadPanel, aheadTurn int, later []%[1]s, laterStep, laterTurn int)", s.typ()))
	Pragma("noescape")
	s.microDoc(cols)
	m := &micro{shape: s, lead: s.leads(), cols: cols, vecs: cols / s.lanes()}
	m.load()
	Label("panel")
	m.beginPanel()
	Label("block")
	m.start()
	CMPQ(m.packed, Imm(0))
	JNE(LabelRef("packed"))
	for _, side := range []keeping{keepA, keepB} {
		MOVQ(argument(string(side)+"_base"), m.keep)
		TESTQ(m.keep, m.keep)
		JNZ(LabelRef(string(side)))
	}
	m.body("", keepNone)
	for _, side := range []keeping{keepA, keepB} {
		JMP(LabelRef("done"))
		Label(string(side))
		if side == keepA {
			MOVQ(m.keep, m.kept)
			m.beginColumns()
		}
		m.body(string(side)+"_", side)
		MOVQ(m.keep, argument(string(side)+"_base"))
		if side == keepA {
			m.readKept()
		}
	}
	JMP(LabelRef("done"))
	Label("packed")
	m.panels = true
	m.body("packed_", keepNone)
	Label("done")
	m.nextBlock()
	VZEROUPPER()
	RET()
}

// NOSPLITattr: the routines need next to no stack.
const NOSPLITattr = attr.NOSPLIT

func (s shape) microDoc(cols int) {
	Doc(fmt.Sprintf("%sx%d is", s.name("micro"), cols), "",
		"\tfor r, q := range panels, blocks {",
		"\t\ta, b, src, dst := a[r*aPanel:], b[q*bStep:], src[(r*blocks+q)*srcStep:], dst[r*dstPanel+q*dstStep:]",
		fmt.Sprintf("\t\tfor i := range %d {", s.mr),
		fmt.Sprintf("\t\t\tfor j := range %d {", cols),
		fmt.Sprintf("\t\t\t\tc := src[i*%d+j]", s.nr),
		"\t\t\t\tfor p := range k {",
		"\t\t\t\t\tc = FMA(a[i*aRow+p*aStep], b[p*bRow+j], c)",
		"\t\t\t\t}",
		"\t\t\t\tdst[i*ldd+j] = c",
		"\t\t\t}", "\t\t}",
		"\t\tfor p := range k {",
		"\t\t\tif keepA != nil {",
		fmt.Sprintf("\t\t\t\tfor i := range %d {", s.mr),
		fmt.Sprintf("\t\t\t\t\tkeepA[(r*k+p)*%d+i] = a[i*aRow+p*aStep]", s.mr),
		"\t\t\t\t}", "\t\t\t} else if keepB != nil {",
		fmt.Sprintf("\t\t\t\tcopy(keepB[(q*k+p)*%d:], b[p*bRow:][:%d])", s.nr, cols),
		"\t\t\t}", "\t\t}", "\t}", "",
		"for k, blocks and panels of at least 1; see microKernel.")
}

// argument returns the place of an argument, which the routine may overwrite.
// Those that count elements are turned into bytes first: see scale.
func argument(name string) Mem {
	var c gotypes.Component
	if field, ok := strings.CutSuffix(name, "_base"); ok {
		c = Param(field).Base()
	} else {
		c = Param(name)
	}
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// load turns counts of elements into bytes and loads what stays in registers.
func (m *micro) load() {
	shift := Imm(map[int]uint64{8: 3, 4: 2}[m.size])
	for _, name := range []string{"aRow", "aStep", "aPanel", "bRow", "bStep", "srcStep", "dstStep", "dstPanel", "ldd", "aheadStep", "aheadPanel", "aheadTurn", "laterStep", "laterTurn"} {
		SHLQ(shift, argument(name))
	}
	m.rest, m.near, m.packed, m.early = AllocLocal(8), AllocLocal(8), AllocLocal(8), AllocLocal(8)
	m.left, m.panelA, m.panelB, m.panelDst, m.kept = AllocLocal(8), AllocLocal(8), AllocLocal(8), AllocLocal(8), AllocLocal(8)
	m.a, m.b, m.aHigh, m.aTriple = GP64(), GP64(), GP64(), GP64()
	m.fetch, m.ahead, m.later, m.turns, m.next, m.touch = GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	m.aRow, m.aStep, m.bRow, m.ldd, m.keep = m.arg("aRow"), m.arg("aStep"), m.arg("bRow"), m.arg("ldd"), GP64()
	LEAQ(Mem{Base: m.aRow, Index: m.aRow, Scale: 2}, m.aTriple)
	m.setEarly()
	m.isPacked()
	for range m.mr {
		m.acc = append(m.acc, registers(m.vecs, m.vector))
	}
	m.row = registers(m.vecs, m.vector)
	m.element = registers(min(2, m.spare()), m.vector)
}

// setEarly notes how early rows of B are fetched: in micro-panels, and where they lie
// close together, so early that fetch is at the end of a block when the turns begin that
// touch rows. Where they lie far apart, as many would share sets of L1, which has 8 ways
// or more, if they lie a power of two apart.
func (m *micro) setEarly() {
	MOVQ(U32(m.mr), m.early)
	CMPQ(m.bRow, U32(farRow))
	JLE(LabelRef("early"))
	CMPQ(m.bRow, U32(m.nr*m.size))
	JEQ(LabelRef("early"))
	MOVQ(U32(8/unroll), m.early)
	Label("early")
}

// farRow is how many bytes from one row of B to the next are far.
const farRow = 512

// isPacked notes whether this call reads micro-panels only.
func (m *micro) isPacked() {
	MOVQ(U32(0), m.packed)
	for _, p := range []struct {
		is   GPVirtual
		want int
	}{{m.aRow, m.size}, {m.aStep, m.mr * m.size}, {m.bRow, m.nr * m.size}} {
		CMPQ(p.is, U32(p.want))
		JNE(LabelRef("panel"))
	}
	for _, side := range []keeping{keepA, keepB} {
		CMPQ(argument(string(side)+"_base"), Imm(0))
		JNE(LabelRef("panel"))
	}
	MOVQ(U32(1), m.packed)
}

func (m *micro) arg(name string) GPVirtual {
	r := GP64()
	MOVQ(argument(name), r)
	return r
}

// spare is the number of registers beside accumulators and the row of B.
func (m *micro) spare() int {
	all := 16
	if m.vector == 64 {
		all = 32
	}
	return all - (m.mr+1)*m.vecs
}

// start sets the registers for a block.
func (m *micro) start() {
	MOVQ(argument("a_base"), m.a)
	MOVQ(argument("b_base"), m.b)
	MOVQ(argument("ahead_base"), m.ahead)
	MOVQ(argument("later_base"), m.later)
	MOVQ(argument("dst_base"), m.touch)
	LEAQ(Mem{Base: m.a, Index: m.aRow, Scale: 4}, m.aHigh)
	MOVQ(m.early, m.fetch)
	SHLQ(Imm(2), m.fetch) // unroll
	IMULQ(m.bRow, m.fetch)
	ADDQ(m.b, m.fetch)
	MOVQ(argument("src_base"), m.next)
}

// beginPanel notes where the blocks of a micro-panel of A begin.
func (m *micro) beginPanel() {
	m.copy(argument("blocks"), m.left)
	m.copy(argument("a_base"), m.panelA)
	m.copy(argument("b_base"), m.panelB)
	m.copy(argument("dst_base"), m.panelDst)
}

// copy copies a word from place to place.
func (m *micro) copy(from, to Mem) {
	MOVQ(from, m.turns)
	MOVQ(m.turns, to)
}

// nextBlock moves on to the following block, or to the first one of the next
// micro-panel of A, if there is one.
func (m *micro) nextBlock() {
	r := m.turns
	for _, p := range [][2]string{{"bStep", "b_base"}, {"srcStep", "src_base"}, {"dstStep", "dst_base"}, {"aheadStep", "ahead_base"}, {"laterStep", "later_base"}} {
		MOVQ(argument(p[0]), r)
		ADDQ(r, argument(p[1]))
	}
	DECQ(m.left)
	JNZ(LabelRef("block"))
	DECQ(argument("panels"))
	JZ(LabelRef("end"))
	m.copy(m.panelA, argument("a_base"))
	m.copy(m.panelB, argument("b_base"))
	m.copy(m.panelDst, argument("dst_base"))
	for _, p := range [][2]string{{"aPanel", "a_base"}, {"dstPanel", "dst_base"}, {"aheadPanel", "ahead_base"}} {
		MOVQ(argument(p[0]), r)
		ADDQ(r, argument(p[1]))
	}
	CMPQ(argument(string(keepA)+"_base"), Imm(0))
	JE(LabelRef("panel"))
	MOVQ(U32(0), m.packed)
	JMP(LabelRef("panel"))
	Label("end")
}

// body peels the first step, which loads the block row by row while the first
// products are under way, and the last, which stores it likewise. Before the
// end, early enough to arrive and late enough not to be evicted again by the
// panels that stream through L1, the rows of dst and of the next block are
// fetched, one row per turn; B's rows of the next block are fetched then, too.
func (m *micro) body(label string, keep keeping) {
	k := m.turns
	MOVQ(argument("k"), k)
	CMPQ(k, Imm(1))
	JE(LabelRef(label + "single"))
	m.step(0, true, false, keep)
	m.advance(1, keep)
	ADDQ(argument("srcStep"), m.next)
	MOVQ(argument("k"), k)
	SUBQ(Imm(2), k)
	MOVQ(k, m.rest)
	ANDQ(Imm(unroll-1), m.rest)
	SHRQ(Imm(2), k)
	MOVQ(k, m.near)
	SUBQ(Imm(uint64(m.mr)), m.turns)
	JLE(LabelRef(label + "near"))
	MOVQ(U32(m.mr), m.near)

	m.loop(label+"far", m.turns, func() { m.turn(false, keep) })
	Label(label + "near")
	if m.lead.src {
		MOVQ(argument("src_base"), m.next)
		ADDQ(argument("srcStep"), m.next)
	}
	if m.panels {
		m.fetchNext()
	}
	MOVQ(m.near, m.turns)
	TESTQ(m.turns, m.turns)
	JZ(LabelRef(label + "rest"))
	m.loop(label+"touch", m.turns, func() {
		if !m.panels {
			CMPQ(m.turns, m.early)
			JNE(LabelRef(label + "same"))
			m.fetchNext()
			Label(label + "same")
		}
		m.turn(true, keep)
	})

	Label(label + "rest")
	MOVQ(m.rest, m.turns)
	TESTQ(m.turns, m.turns)
	JZ(LabelRef(label + "last"))
	m.loop(label+"one", m.turns, func() {
		m.step(0, false, false, keep)
		m.advance(1, keep)
	})
	JMP(LabelRef(label + "last"))

	Label(label + "single")
	for i := range m.mr {
		m.loadRow(i)
	}
	Label(label + "last")
	MOVQ(argument("dst_base"), m.touch)
	m.step(0, false, true, keep)
	if keep != keepNone { // the next block is kept behind this one
		m.advance(1, keep)
	}
}

// fetchNext lets the rows of B be fetched that the next block begins with.
func (m *micro) fetchNext() {
	MOVQ(argument("b_base"), m.fetch)
	ADDQ(argument("bStep"), m.fetch)
}

func (m *micro) blockBytes() int { return m.mr * m.nr * m.size }

func (m *micro) loop(label string, count GPVirtual, body func()) {
	Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []Op{Imm(32)}})
	Label(label)
	body()
	DECQ(count)
	JNZ(LabelRef(label))
}

// turn is unroll steps, with a share of the prefetches.
func (m *micro) turn(touch bool, keep keeping) {
	PREFETCHT0(Mem{Base: m.ahead})
	ADDQ(argument("aheadTurn"), m.ahead)
	PREFETCHT0(Mem{Base: m.later})
	PREFETCHT0(Mem{Base: m.later, Disp: 64})
	ADDQ(argument("laterTurn"), m.later)
	if m.lead.src && !touch {
		PREFETCHT1(Mem{Base: m.next, Disp: m.blockBytes()})
		ADDQ(Imm(srcTurn), m.next)
	}
	for p := range unroll {
		if touch && p == 1 {
			m.touchRow()
		}
		m.fetchRow(p, keep)
		m.fetchA(p)
		m.step(p, false, false, keep)
		if !m.panels {
			m.advance(1, keep)
		}
	}
	if m.panels {
		ADDQ(U32(unroll*m.nr*m.size), m.fetch)
		m.advance(unroll, keep)
	}
}

// touchRow fetches one row of dst, to be written, and one of the next block.
func (m *micro) touchRow() {
	row, bytes := m.nr*m.size, m.cols*m.size
	for at := 0; at < bytes; at += 64 {
		PREFETCHT0(Mem{Base: m.next, Disp: at})
		PREFETCHT0(Mem{Base: m.touch, Disp: at})
	}
	PREFETCHT0(Mem{Base: m.touch, Disp: bytes - 1})
	ADDQ(U32(row), m.next)
	ADDQ(m.ldd, m.touch)
}

// fetchRow fetches the row of B for step p of a turn: one that streams from L2
// arrives late now and then where other processors use the caches too, one that
// lies in a row-major matrix no hardware fetches.
func (m *micro) fetchRow(p int, keep keeping) {
	for at := 0; at < m.cols*m.size; at += 64 {
		PREFETCHT0(Mem{Base: m.fetch, Disp: m.rowsAhead(p) + at})
		if keep == keepB {
			PREFETCHT0(Mem{Base: m.keep, Disp: m.lead.keptB*m.nr*m.size + at})
		}
	}
	if keep == keepA {
		PREFETCHT0(Mem{Base: m.keep, Disp: m.lead.keptA * m.mr * m.size})
		PREFETCHT0(Mem{Base: m.a, Index: m.aStep, Scale: 8}) // columns of a transposed A may share a set of L1
	}
	if !m.panels {
		ADDQ(m.bRow, m.fetch)
	}
}

// fetchA fetches the p-th line of the columns of a micro-panel of A that a turn
// will read.
func (m *micro) fetchA(p int) {
	if at := p * 64; m.panels && m.lead.a > 0 && at < unroll*m.mr*m.size {
		PREFETCHT0(Mem{Base: m.a, Disp: m.lead.a*m.mr*m.size + at})
	}
}

// rowsAhead returns how far the p-th row of op(B) is from the one at hand, if it
// is not at hand itself.
func (m *micro) rowsAhead(p int) int {
	if m.panels {
		return p * m.nr * m.size
	}
	return 0
}

// step adds the outer product of a column of op(A) and a row of op(B): those at
// hand, or, in micro-panels, the p-th after them.
func (m *micro) step(p int, first, last bool, keep keeping) {
	for v, r := range m.row {
		m.mov()(Mem{Base: m.b, Disp: m.rowsAhead(p) + v*m.vector}, r)
		if keep == keepB {
			m.mov()(r, Mem{Base: m.keep, Disp: v * m.vector})
		}
	}
	for i, acc := range m.acc {
		if first {
			m.loadRow(i)
		}
		x := m.element[i%len(m.element)]
		m.broadcast(m.elementOf(p, i), x)
		if keep == keepA {
			m.keepElement(i, x)
		}
		for v, c := range acc {
			m.fma()(m.row[v], x, c)
			if last {
				m.mov()(c, Mem{Base: m.touch, Disp: v * m.vector})
			}
		}
		if last {
			ADDQ(m.ldd, m.touch)
		}
	}
}

// advance moves on by n steps, of which n is 1 but for micro-panels.
func (m *micro) advance(n int, keep keeping) {
	if m.panels {
		ADDQ(U32(n*m.mr*m.size), m.a)
		ADDQ(U32(n*m.nr*m.size), m.b)
		return
	}
	ADDQ(m.aStep, m.a)
	ADDQ(m.aStep, m.aHigh)
	ADDQ(m.bRow, m.b)
	switch keep {
	case keepA:
		ADDQ(Imm(uint64(m.mr*m.size)), m.keep)
	case keepB:
		ADDQ(U32(m.nr*m.size), m.keep)
	}
}

// elementOf returns where row i of op(A) is read, of the p-th column from the
// one at hand.
func (m *micro) elementOf(p, i int) Mem {
	if m.panels {
		return Mem{Base: m.a, Disp: (p*m.mr + i) * m.size}
	}
	base := m.a
	if i >= 4 {
		base = m.aHigh
	}
	switch i % 4 {
	case 0:
		return Mem{Base: base}
	case 3:
		return Mem{Base: base, Index: m.aTriple, Scale: 1}
	}
	return Mem{Base: base, Index: m.aRow, Scale: uint8(i % 4)}
}

// loadRow loads row i of the block, while next is still at it.
func (m *micro) loadRow(i int) {
	for v, c := range m.acc[i] {
		m.mov()(Mem{Base: m.next, Disp: i*m.nr*m.size + v*m.vector}, c)
	}
}
