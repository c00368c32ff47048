package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// unroll is the number of steps in one turn of the main loops.
const unroll = 4

// rowsAhead is how many steps early the lines of B are fetched: B streams from
// L2, and where other processors use the caches too, the hardware's own
// prefetcher is late now and then.
const rowsAhead = 24

// micro is a micro-kernel under construction.
type micro struct {
	shape
	cols, vecs    int
	k, blocks     GPVirtual // left to do
	a, b, ahead   GPVirtual // at the current step
	panel         GPVirtual // the micro-panel of B
	src, dst, ldd GPVirtual // of the current block
	next, touch   GPVirtual // rows to fetch, of the next block and of dst
	turns, near   GPVirtual // turns of the main loops left to do
	acc           [][]VecVirtual
	row, element  []VecVirtual // of B, of A
}

// microKernel generates the micro-kernel for the first cols columns.
func (s shape) microKernel(cols int) {
	TEXT(fmt.Sprintf("%sx%d", s.name("micro"), cols), NOSPLITattr, fmt.Sprintf(
		"func(k, blocks int, a, b []%[1]s, bStep int, src []%[1]s, srcStep int, dst []%[1]s, dstStep, ldd int, ahead []%[1]s)", s.typ()))
	Pragma("noescape")
	s.microDoc(cols)
	m := &micro{shape: s, cols: cols, vecs: cols / s.lanes()}
	m.load()
	Label("block")
	m.start()
	m.body()
	m.nextBlock()
	VZEROUPPER()
	RET()
}

// NOSPLITattr: the routines use no stack.
const NOSPLITattr = attr.NOSPLIT

func (s shape) microDoc(cols int) {
	Doc(fmt.Sprintf("%sx%d is", s.name("micro"), cols), "",
		"\tfor q := range blocks {",
		"\t\tb, src, dst := b[q*bStep:], src[q*srcStep:], dst[q*dstStep:]",
		fmt.Sprintf("\t\tfor i := range %d {", s.mr),
		fmt.Sprintf("\t\t\tfor j := range %d {", cols),
		fmt.Sprintf("\t\t\t\tc := src[i*%d+j]", s.nr),
		"\t\t\t\tfor p := range k {",
		fmt.Sprintf("\t\t\t\t\tc = FMA(a[p*%d+i], b[p*%d+j], c)", s.mr, s.nr),
		"\t\t\t\t}",
		"\t\t\t\tdst[i*ldd+j] = c",
		"\t\t\t}", "\t\t}", "\t}", "",
		"for k and blocks of at least 1; see microKernel.")
}

func (m *micro) load() {
	m.blocks = Load(Param("blocks"), GP64()).(GPVirtual)
	m.panel, m.src, m.dst, m.ahead = base("b"), base("src"), base("dst"), base("ahead")
	m.ldd = m.bytes("ldd")
	m.k, m.a, m.b, m.next, m.touch = GP64(), GP64(), GP64(), GP64(), GP64()
	m.turns, m.near = GP64(), GP64()
	for range m.mr {
		m.acc = append(m.acc, registers(m.vecs, m.vector))
	}
	m.row = registers(m.vecs, m.vector)
	m.element = registers(min(2, m.spare()), m.vector)
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
	Load(Param("k"), m.k)
	Load(Param("a").Base(), m.a)
	MOVQ(m.panel, m.b)
	MOVQ(m.dst, m.touch)
	Load(Param("srcStep"), m.next)
	LEAQ(Mem{Base: m.src, Index: m.next, Scale: uint8(m.size)}, m.next)
}

// nextBlock moves on to the following block, if there is one.
func (m *micro) nextBlock() {
	for _, p := range []struct {
		step string
		at   GPVirtual
	}{{"bStep", m.panel}, {"srcStep", m.src}, {"dstStep", m.dst}} {
		step := Load(Param(p.step), GP64()).(GPVirtual)
		LEAQ(Mem{Base: p.at, Index: step, Scale: uint8(m.size)}, p.at)
	}
	DECQ(m.blocks)
	JNZ(LabelRef("block"))
}

// body peels the first step, which loads the block row by row while the first
// products are under way, and the last, which stores it likewise. Before the
// end, early enough to arrive and late enough not to be evicted again by the
// panels that stream through L1, the rows of dst and of the next block are
// fetched, one row per turn.
func (m *micro) body() {
	CMPQ(m.k, Imm(1))
	JE(LabelRef("single"))
	m.step(0, true, false)
	m.advance(1)
	SUBQ(Imm(2), m.k)
	MOVQ(m.k, m.turns)
	SHRQ(Imm(2), m.turns)
	ANDQ(Imm(unroll-1), m.k)
	MOVQ(m.turns, m.near)
	SUBQ(Imm(uint64(m.mr)), m.turns)
	JLE(LabelRef("near"))
	MOVQ(U32(m.mr), m.near)

	m.loop("far", m.turns, func() { m.turn(false) })
	Label("near")
	TESTQ(m.near, m.near)
	JZ(LabelRef("rest"))
	m.loop("touch", m.near, func() { m.turn(true) })

	Label("rest")
	TESTQ(m.k, m.k)
	JZ(LabelRef("last"))
	m.loop("one", m.k, func() { m.step(0, false, false); m.advance(1) })
	JMP(LabelRef("last"))

	Label("single")
	for i := range m.mr {
		m.loadRow(i)
	}
	Label("last")
	MOVQ(m.dst, m.touch)
	m.step(0, false, true)
}

func (m *micro) loop(label string, count GPVirtual, body func()) {
	Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []Op{Imm(32)}})
	Label(label)
	body()
	DECQ(count)
	JNZ(LabelRef(label))
}

// turn is unroll steps, with a share of the prefetches.
func (m *micro) turn(touch bool) {
	PREFETCHT0(Mem{Base: m.ahead})
	ADDQ(U32(unroll*m.mr*m.size/m.panels), m.ahead)
	for p := range unroll {
		if touch && p == 1 {
			m.touchRow()
		}
		m.fetchRow(p + rowsAhead)
		m.step(p, false, false)
	}
	m.advance(unroll)
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

// fetchRow fetches row p of B.
func (m *micro) fetchRow(p int) {
	for at := 0; at < m.cols*m.size; at += 64 {
		PREFETCHT0(Mem{Base: m.b, Disp: p*m.nr*m.size + at})
	}
}

func (m *micro) advance(steps int) {
	ADDQ(U32(steps*m.mr*m.size), m.a)
	ADDQ(U32(steps*m.nr*m.size), m.b)
}

// step adds the outer product of column p of a and row p of b.
func (m *micro) step(p int, first, last bool) {
	for v, r := range m.row {
		m.mov()(Mem{Base: m.b, Disp: p*m.nr*m.size + v*m.vector}, r)
	}
	for i, acc := range m.acc {
		if first {
			m.loadRow(i)
		}
		x := m.element[i%len(m.element)]
		m.broadcast(Mem{Base: m.a, Disp: (p*m.mr + i) * m.size}, x)
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

func (m *micro) loadRow(i int) {
	for v, c := range m.acc[i] {
		m.mov()(Mem{Base: m.src, Disp: i*m.nr*m.size + v*m.vector}, c)
	}
}
