package main

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// leads are how many steps early lines are fetched. A step of AVX-512 takes half
// the time on processors whose units are as wide as its registers.
type leads struct {
	keptB, keptA int  // that rows of B, columns of A are copied to: stores that miss L1 wait for each other
	a            int  // of a micro-panel of A, which B drives out of L1; 0 to leave it there
	columns      int  // of a transposed A, by the loop that copies them
	src          bool // of the next block but one, into L2
}

func (s shape) leads() leads {
	if s.vector == 64 {
		return leads{keptB: 24, keptA: 96, a: 24, columns: 32, src: true}
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
	aHigh, aStep     GPVirtual // the upper rows, or columns to fetch; from one step to the next
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
	acc              [][]VecVirtual
	rows             [][]VecVirtual  // of B: two where there are registers enough
	element          []VecVirtual    // of A
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
	m.dispatch()
	m.body("", keepNone)
	for _, k := range m.keepings() {
		JMP(LabelRef("done"))
		Label(string(k))
		switch k {
		case keepA:
			m.beginColumns()
		case keepColumns:
			m.beginFetches()
		}
		m.body(string(k)+"_", k)
		if k.operand() == "A" {
			m.readKept()
		}
		MOVQ(m.keep, kept(k.operand()))
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
	m.left, m.panelA, m.panelB, m.panelDst = AllocLocal(8), AllocLocal(8), AllocLocal(8), AllocLocal(8)
	m.a, m.b, m.aHigh, m.aTriple = GP64(), GP64(), GP64(), GP64()
	m.fetch, m.ahead, m.later, m.turns, m.next, m.touch = GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	m.aRow, m.aStep, m.bRow, m.ldd, m.keep = m.arg("aRow"), m.arg("aStep"), m.arg("bRow"), m.arg("ldd"), GP64()
	LEAQ(Mem{Base: m.aRow, Index: m.aRow, Scale: 2}, m.aTriple)
	m.setEarly()
	m.isPacked()
	for range m.mr {
		m.acc = append(m.acc, registers(m.vecs, m.vector))
	}
	m.rows, m.element = append(m.rows, registers(m.vecs, m.vector)), registers(2, m.vector)
	if m.spare() >= m.vecs {
		m.rows = append(m.rows, registers(m.vecs, m.vector))
	}
}

// dispatch jumps to the loop that keeps what is to be kept, if anything is.
func (m *micro) dispatch() {
	MOVQ(kept("A"), m.keep)
	TESTQ(m.keep, m.keep)
	JZ(LabelRef("rows"))
	if m.copiesColumns() {
		CMPQ(m.aRow, U32(m.size))
		JE(LabelRef(string(keepColumns)))
	}
	JMP(LabelRef(string(keepA)))
	Label("rows")
	MOVQ(kept("B"), m.keep)
	TESTQ(m.keep, m.keep)
	JNZ(LabelRef(string(keepB)))
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
	MOVQ(U32(8/m.turnSteps), m.early)
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
	for _, operand := range []string{"A", "B"} {
		CMPQ(kept(operand), Imm(0))
		JNE(LabelRef("panel"))
	}
	MOVQ(U32(1), m.packed)
}

func (m *micro) arg(name string) GPVirtual {
	r := GP64()
	MOVQ(argument(name), r)
	return r
}

// spare is the number of registers beside accumulators, a row of B and two elements of A.
func (m *micro) spare() int {
	all := 16
	if m.vector == 64 {
		all = 32
	}
	return all - (m.mr+1)*m.vecs - 2
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
	SHLQ(m.turnShift(), m.fetch)
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
	CMPQ(kept("A"), Imm(0))
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
	m.step(step{first: true}, keep)
	m.advance(keep)
	ADDQ(argument("srcStep"), m.next)
	MOVQ(argument("k"), k)
	SUBQ(Imm(2), k)
	MOVQ(k, m.rest)
	ANDQ(Imm(uint64(m.turnSteps-1)), m.rest)
	SHRQ(m.turnShift(), k)
	MOVQ(k, m.near)
	m.carry(keep)
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
		m.step(step{}, keep)
		m.advance(keep)
	})
	JMP(LabelRef(label + "last"))

	Label(label + "single")
	m.loadBlock()
	Label(label + "last")
	MOVQ(argument("dst_base"), m.touch)
	m.step(step{last: true}, keep)
	if keep != keepNone { // the next block is kept behind this one
		m.advance(keep)
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

// turnShift is the binary logarithm of turnSteps.
func (m *micro) turnShift() Constant { return Imm(uint64(bits.TrailingZeros(uint(m.turnSteps)))) }

// advance moves on by a step, in micro-panels or not.
func (m *micro) advance(keep keeping) {
	m.advanceKept(1, keep)
	if m.panels {
		m.advancePanels(1)
		return
	}
	m.advanceA()
	ADDQ(m.bRow, m.b)
}

// advancePanels moves on by n steps in micro-panels.
func (m *micro) advancePanels(n int) {
	ADDQ(U32(n*m.mr*m.size), m.a)
	ADDQ(U32(n*m.nr*m.size), m.b)
}

// advanceA moves on by a step in a matrix.
func (m *micro) advanceA() {
	ADDQ(m.aStep, m.a)
	ADDQ(m.aStep, m.aHigh)
}

// advanceKept moves on by n steps in what is kept.
func (m *micro) advanceKept(n int, keep keeping) {
	switch keep.operand() {
	case "A":
		ADDQ(U32(n*m.mr*m.size), m.keep)
	case "B":
		ADDQ(U32(n*m.nr*m.size), m.keep)
	}
}

// elementOf returns where row i of op(A) is read, of the p-th column from the
// one at hand.
func (m *micro) elementOf(p, i int, keep keeping) Mem {
	switch {
	case m.panels:
		return Mem{Base: m.a, Disp: (p*m.mr + i) * m.size}
	case keep == keepColumns:
		return Mem{Base: m.a, Disp: i * m.size}
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
