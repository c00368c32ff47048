package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// keeping is what a loop copies to keep it packed: elements of A one by one, rows of
// B, or columns of A, whose elements lie side by side where A is stored transposed.
type keeping string

const (
	keepNone    keeping = ""
	keepA       keeping = "keepA"
	keepB       keeping = "keepB"
	keepColumns keeping = "keepColumns"
)

// kept is the argument that says where to keep operand A or B.
func kept(operand string) Mem { return argument("keep" + operand + "_base") }

// operand is the one that is kept, if any.
func (k keeping) operand() string {
	switch k {
	case keepA, keepColumns:
		return "A"
	case keepB:
		return "B"
	}
	return ""
}

// copiesColumns reports whether there is a loop for columns: where one register takes a
// column.
func (s shape) copiesColumns() bool { return s.vector == 64 }

// keepings are the loops that the micro-kernel has.
func (s shape) keepings() []keeping {
	if s.copiesColumns() {
		return []keeping{keepB, keepA, keepColumns}
	}
	return []keeping{keepB, keepA}
}

// beginColumns makes the masks with which columns of A are put together, where masks
// are to be had: of stores of single elements L1 takes less than a step has.
func (m *micro) beginColumns() {
	if m.vector < 64 {
		return
	}
	m.column = register(m.mr * m.size)
	for i := 1; i < m.mr; i++ {
		k := K()
		MOVL(U32(1<<i), m.turns.As32())
		KMOVW(m.turns.As32(), k)
		m.lane = append(m.lane, k)
	}
}

// beginFetches sets where columns of A are fetched from, into L2: those that lie a power of
// two apart share a set of L1.
func (m *micro) beginFetches() {
	IMUL3Q(U32(m.lead.columns), m.aStep, m.aHigh)
	ADDQ(m.a, m.aHigh)
}

// keepElement keeps row i of step p's column of A, which x has in each lane.
func (m *micro) keepElement(p, i int, x VecVirtual) {
	to := Mem{Base: m.keep, Disp: p * m.mr * m.size}
	if m.column == nil {
		m.of(VMOVSD, VMOVSS)(x.AsX(), to.Offset(i*m.size))
		return
	}
	from := narrow(x, int(m.column.Size()))
	if i == 0 {
		m.mov()(from, m.column)
	} else {
		m.mov()(from, m.lane[i-1], m.column)
	}
	if i == m.mr-1 {
		m.mov()(m.column, to)
	}
}

// keepColumn keeps step p's column of A, by way of a register that is free for now.
func (m *micro) keepColumn(p int, by VecVirtual) {
	column := narrow(by, m.mr*m.size)
	m.mov()(Mem{Base: m.a}, column)
	m.mov()(column, Mem{Base: m.keep, Disp: p * m.mr * m.size})
}

// readKept lets the other blocks of a panel of A, of which B is packed, read what the first
// one has kept.
func (m *micro) readKept() {
	m.copy(kept("A"), argument("a_base")) // where it began to keep
	MOVQ(U32(1), m.packed)
}
