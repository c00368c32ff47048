package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// turn is turnSteps steps, with a share of the prefetches.
func (m *micro) turn(touch bool, keep keeping) {
	for p := range m.turnSteps {
		s := step{p: p, carried: m.carries(keep)}
		if p == 0 {
			s.aside = m.fetchShare(touch)
		}
		if touch && p == 1 {
			s.aside = m.touchRow()
		}
		s.aside = append(s.aside, m.fetchRow(p, keep)...)
		s.aside = append(s.aside, m.fetchA(p)...)
		m.step(s, keep)
		if !m.panels {
			m.advanceA()
			if p%2 > 0 {
				LEAQ(Mem{Base: m.b, Index: m.bRow, Scale: 2}, m.b)
			}
		}
	}
	m.advanceKept(m.turnSteps, keep)
	if m.panels {
		ADDQ(U32(m.turnSteps*m.nr*m.size), m.fetch)
		m.advancePanels(m.turnSteps)
	}
}

// carry begins to load what the first step of the turns needs. What their last one begins
// to load is there: the last step of a block is not a turn's.
func (m *micro) carry(keep keeping) {
	if !m.carries(keep) {
		return
	}
	m.loadB(0, 0, m.rows[0], keep)
	if m.panels {
		m.broadcast(m.elementOf(0, 0, keep), m.element[0])
	}
}

// A step adds the outer product of a column of op(A) and a row of op(B): those at hand,
// or, in micro-panels, the p-th after them.
type step struct {
	p           int
	first, last bool     // of a block
	carried     bool     // the step before has begun to load what this one needs, and this one does so for the next
	aside       []func() // what else is to be done
}

// step generates a step. A processor whose core serves a second thread does not look far
// ahead. So where there are registers for it, loads begin well before their values are used:
// an element of A is broadcast one row of C early, a row of B loaded in the middle of the
// step before, and fetches are spread over the rows of C.
func (m *micro) step(s step, keep keeping) {
	if m.inPairs() {
		m.pairedStep(s)
		return
	}
	row := m.rows[0]
	if !s.carried {
		m.loadB(s.p, 0, row, keep)
	} else if s.p%2 > 0 {
		row = m.rows[1]
	}
	for i, acc := range m.acc {
		shares := 1
		if m.looksAhead() {
			shares = m.mr - i
		}
		s.aside = some(s.aside, shares)
		m.elements(s, i, keep)
		if keep == keepColumns && i == m.mr-1 {
			m.keepColumn(s.p, m.element[(i+1)%2])
		}
		if s.carried && i == m.mr/2 {
			m.loadB(s.p, 1, m.rows[(s.p+1)%2], keep)
		}
		if s.first {
			m.loadRow(i)
		}
		x := m.element[i%2]
		if keep == keepA {
			m.keepElement(s.p, i, x)
		}
		for v, c := range acc {
			m.fma()(row[v], x, c)
			if s.last {
				m.mov()(c, Mem{Base: m.touch, Disp: v * m.vector})
			}
		}
		if s.last {
			ADDQ(m.ldd, m.touch)
		}
	}
}

// carries reports whether steps of a turn begin loads for the next one: not where A is put
// together, whose column takes a register.
func (m *micro) carries(keep keeping) bool { return m.looksAhead() && keep != keepA }

// looksAhead reports whether there are registers to begin loads early.
func (m *micro) looksAhead() bool { return len(m.rows) > 1 }

// some does one of so many shares of what is to be done aside, and returns the rest.
func some(aside []func(), shares int) []func() {
	n := (len(aside) + shares - 1) / shares
	for _, do := range aside[:n] {
		do()
	}
	return aside[n:]
}

// elements broadcasts the elements of A that are due before row i: the next row's, or
// else its own.
func (m *micro) elements(s step, i int, keep keeping) {
	if !m.looksAhead() || i == 0 && !(m.panels && s.carried) {
		m.broadcast(m.elementOf(s.p, i, keep), m.element[i%2])
	}
	switch {
	case !m.looksAhead():
	case i+1 < m.mr:
		m.broadcast(m.elementOf(s.p, i+1, keep), m.element[(i+1)%2])
	case m.panels && s.carried:
		m.broadcast(m.elementOf(s.p+1, 0, keep), m.element[0])
	}
}

// loadB loads step p's row of op(B), or the one that follows it, and keeps it.
func (m *micro) loadB(p, after int, to []VecVirtual, keep keeping) {
	from := m.rowOf(m.b, p, after)
	for v, r := range to {
		m.mov()(from.Offset(v*m.vector), r)
		if keep == keepB {
			m.mov()(r, Mem{Base: m.keep, Disp: (p+after)*m.nr*m.size + v*m.vector})
		}
	}
}

// rowOf returns where step p's row of op(B) is, or one after it, from the pointer
// that moves on turn by turn in micro-panels, and else every other step.
func (m *micro) rowOf(at GPVirtual, p, after int) Mem {
	if m.panels {
		return Mem{Base: at, Disp: (p + after) * m.nr * m.size}
	}
	if n := p%2 + after; n > 0 {
		return Mem{Base: at, Index: m.bRow, Scale: uint8(n)}
	}
	return Mem{Base: at}
}

// fetchShare fetches a turn's share of what is needed later: of A, of B, and of the next
// block but one.
func (m *micro) fetchShare(touch bool) []func() {
	fetch := PREFETCHT0
	if m.lead.a > 0 { // what comes into L1 now would only drive out what is in use
		fetch = PREFETCHT1
	}
	share := []func(){
		func() { fetch(Mem{Base: m.ahead}); ADDQ(argument("aheadTurn"), m.ahead) },
		func() { PREFETCHT0(Mem{Base: m.later}) },
		func() { PREFETCHT0(Mem{Base: m.later, Disp: 64}); ADDQ(argument("laterTurn"), m.later) },
	}
	if m.lead.src && !touch {
		share = append(share, func() {
			PREFETCHT1(Mem{Base: m.next, Disp: m.blockBytes()})
			ADDQ(Imm(srcTurn), m.next)
		})
	}
	return share
}

// touchRow fetches one row of dst, to be written, and one of the next block.
func (m *micro) touchRow() (fetches []func()) {
	bytes := m.cols * m.size
	for at := 0; at < bytes; at += 64 {
		fetches = append(fetches, func() {
			PREFETCHT0(Mem{Base: m.next, Disp: at})
			PREFETCHT0(Mem{Base: m.touch, Disp: at})
		})
	}
	return append(fetches, func() {
		PREFETCHT0(Mem{Base: m.touch, Disp: bytes - 1})
		ADDQ(U32(m.nr*m.size), m.next)
		ADDQ(m.ldd, m.touch)
	})
}

// fetchRow fetches the row of B for step p of a turn: one that streams from L2
// arrives late now and then where other processors use the caches too, one that
// lies in a row-major matrix no hardware fetches.
func (m *micro) fetchRow(p int, keep keeping) (fetches []func()) {
	for at := 0; at < m.cols*m.size; at += 64 {
		fetches = append(fetches, func() {
			PREFETCHT0(m.rowOf(m.fetch, p, 0).Offset(at))
			if keep == keepB {
				PREFETCHT0(Mem{Base: m.keep, Disp: (m.lead.keptB+p)*m.nr*m.size + at})
			}
		})
	}
	if keep.operand() == "A" {
		fetches = append(fetches, func() {
			PREFETCHT0(Mem{Base: m.keep, Disp: (m.lead.keptA + p) * m.mr * m.size})
		})
	}
	switch {
	case keep == keepColumns:
		fetches = append(fetches, func() { PREFETCHT1(Mem{Base: m.aHigh}) })
	case keep == keepA && !m.copiesColumns(): // so this loop does: they may share a set of L1
		fetches = append(fetches, func() { PREFETCHT0(Mem{Base: m.a, Index: m.aStep, Scale: 8}) })
	}
	if !m.panels && p%2 > 0 {
		fetches = append(fetches, func() { LEAQ(Mem{Base: m.fetch, Index: m.bRow, Scale: 2}, m.fetch) })
	}
	return fetches
}

// fetchA fetches the p-th line of the columns of a micro-panel of A that a turn
// will read.
func (m *micro) fetchA(p int) []func() {
	at := p * 64
	if !m.panels || m.lead.a == 0 || at >= m.turnSteps*m.mr*m.size {
		return nil
	}
	return []func(){func() { PREFETCHT0(Mem{Base: m.a, Disp: m.lead.a*m.mr*m.size + at}) }}
}

// loadBlock loads the block, while next is still at it.
func (m *micro) loadBlock() {
	if m.inPairs() {
		for i := range m.mr / 2 {
			for v := range m.vecs {
				m.loadCrossed(i, v)
			}
		}
		return
	}
	for i := range m.mr {
		m.loadRow(i)
	}
}

// loadRow loads row i of the block, while next is still at it.
func (m *micro) loadRow(i int) {
	for v, c := range m.acc[i] {
		m.mov()(Mem{Base: m.next, Disp: i*m.nr*m.size + v*m.vector}, c)
	}
}
