package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where there are no registers to begin loads early, steps in micro-panels multiply two
// rows at once: a load of two elements of A into each two lanes is multiplied by the
// vectors of B's row as they are, and with each two lanes swapped. So a step takes five
// loads and two swaps instead of eight loads. Meanwhile the sums of two rows stand
// crosswise in their registers; each is the same chain of multiply-adds.

// inPairs reports whether steps multiply two rows at once.
func (m *micro) inPairs() bool { return m.panels && !m.looksAhead() }

// loadCrossed loads vector v of the i-th two rows of the block, while next is still at it:
// (x0, x1, …) and (y0, y1, …) as (x0, y1, …) and (x1, y0, …).
func (m *micro) loadCrossed(i, v int) {
	x, y := m.acc[2*i][v], m.acc[2*i+1][v]
	first := Mem{Base: m.next, Disp: 2*i*m.nr*m.size + v*m.vector}
	second := first.Offset(m.nr * m.size)
	m.mov()(first, x)
	m.odd(second, x, x)
	m.mov()(second, y)
	m.odd(first, y, y)
	m.swap(y, y)
}

// storeCrossed stores vector v of the i-th two rows of the block, whose sums stand
// crosswise, by way of a register.
func (m *micro) storeCrossed(i, v int, by VecVirtual) {
	x, y := m.acc[2*i][v], m.acc[2*i+1][v]
	m.swap(y, y)
	m.odd(y, x, by)
	m.mov()(by, m.rowOfC(2*i).Offset(v*m.vector))
	m.odd(x, y, y)
	m.mov()(y, m.rowOfC(2*i+1).Offset(v*m.vector))
}

// rowOfC returns where row i of C is, with touch at its first one and next at the upper
// half.
func (m *micro) rowOfC(i int) Mem {
	at := Mem{Base: m.touch}
	if i >= m.mr/2 {
		at.Base, i = m.next, i-m.mr/2
	}
	if i > 0 {
		at.Index, at.Scale = m.ldd, uint8(i)
	}
	return at
}

// odd makes to of the odd lanes of one vector and the even ones of another.
func (m *micro) odd(odd, even, to Op) {
	VBLENDPS(m.either(0xcc, 0xaa), odd, even, to)
}

// swap makes to of a vector, each two lanes of it swapped.
func (m *micro) swap(from, to Op) {
	VPERMILPS(m.either(0x4e, 0xb1), from, to)
}

// either returns what is said to an instruction on lanes of four bytes, of which an
// element of double precision takes two.
func (m *micro) either(double, single uint64) Constant {
	if m.size == 8 {
		return Imm(double)
	}
	return Imm(single)
}

// pairedStep is step in pairs of rows. Three multiply-adds in a row, and no more, make
// loads go along with them.
func (m *micro) pairedStep(s step) {
	a, row := registers(m.mr/2, m.vector), register(m.vector)
	if s.last { // nothing is left to fetch by next
		LEAQ(Mem{Base: m.touch, Index: m.ldd, Scale: 2}, m.next)
		ADDQ(m.ldd, m.next)
	}
	for v := range m.vecs {
		s.aside = some(s.aside, m.vecs-v)
		m.mov()(m.rowOf(m.b, s.p, 0).Offset(v*m.vector), row)
		for i, x := range a {
			if v == 0 {
				m.loadTwo(m.elementOf(s.p, 2*i, keepNone), x)
			}
			if s.first {
				m.loadCrossed(i, v)
			}
			m.fma()(row, x, m.acc[2*i][v])
		}
		m.swap(row, row)
		for i, x := range a {
			m.fma()(row, x, m.acc[2*i+1][v])
		}
		if s.last {
			for i := range a {
				m.storeCrossed(i, v, row)
			}
		}
	}
}

// loadTwo loads two elements into each two lanes.
func (m *micro) loadTwo(from Mem, to VecVirtual) {
	if m.size == 8 {
		VBROADCASTF128(from, to)
	} else {
		VBROADCASTSD(from, to)
	}
}
