package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// peakFMAs are the independent FMAs of one turn: more than latency times
// units, and as many as sixteen registers hold.
const peakFMAs = 12

// peak generates the loop that measures the FMA limit.
func (s shape) peak() {
	TEXT(s.name("peak"), NOSPLITattr, "func(n int)")
	Doc(fmt.Sprintf("%s does n times %d independent FMAs of %d lanes in registers, n at least 1.",
		s.name("peak"), peakFMAs, s.lanes()))
	n := Load(Param("n"), GP64()).(GPVirtual)
	x, y := s.constant(1), s.constant(math.Ldexp(1, -20))
	acc := registers(peakFMAs, s.vector)
	for _, r := range acc {
		s.xor()(r, r, r)
	}
	Label("turn")
	for _, r := range acc {
		s.fma()(x, y, r)
	}
	DECQ(n)
	JNZ(LabelRef("turn"))
	VZEROUPPER()
	RET()
}

func (s shape) constant(c float64) VecVirtual {
	bits, low, r := GP64(), XMM(), register(s.vector)
	if s.size == 8 {
		MOVQ(U64(math.Float64bits(c)), bits)
		VMOVQ(bits, low)
	} else {
		MOVL(U32(math.Float32bits(float32(c))), bits.As32())
		VMOVD(bits.As32(), low)
	}
	s.of(VBROADCASTSD, VBROADCASTSS)(low, r)
	return r
}
