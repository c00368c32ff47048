package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where there are no registers to begin loads early, turns in micro-panels multiply two
// rows at once: a load of two elements of A into each two lanes is multiplied by the
// vectors of B's row as they are, and with each two lanes swapped. So a step takes five
// loads and two swaps instead of eight loads. Meanwhile the sums of two rows stand
// crosswise in their registers; each is the same chain of multiply-adds.

// inPairs reports whether turns multiply two rows at once.
func (m *micro) inPairs() bool { return m.panels && !m.looksAhead() }

// cross exchanges the odd lanes of each two rows of sums, and swaps those of the second:
// (x0, x1, …) and (y0, y1, …) become (x0, y1, …) and (x1, y0, …).
func (m *micro) cross() {
	m.eachTwo(func(x, y, z VecVirtual) {
		m.odd(x, y, z)
		m.odd(y, x, x)
		m.swap(z, y)
	})
}

// uncross takes back what cross has done.
func (m *micro) uncross() {
	m.eachTwo(func(x, y, z VecVirtual) {
		m.swap(y, z)
		m.odd(x, z, y)
		m.odd(z, x, x)
	})
}

// eachTwo gives do the sums of each two rows, and a register for what it needs besides.
func (m *micro) eachTwo(do func(x, y, z VecVirtual)) {
	z := register(m.vector)
	for i := 0; i < m.mr; i += 2 {
		for v, x := range m.acc[i] {
			do(x, m.acc[i+1][v], z)
		}
	}
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
	for v := range m.vecs {
		s.aside = some(s.aside, m.vecs-v)
		m.mov()(m.rowOf(m.b, s.p, 0).Offset(v*m.vector), row)
		for i, x := range a {
			if v == 0 {
				m.loadTwo(m.elementOf(s.p, 2*i, keepNone), x)
			}
			m.fma()(row, x, m.acc[2*i][v])
		}
		m.swap(row, row)
		for i, x := range a {
			m.fma()(row, x, m.acc[2*i+1][v])
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
