package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A transposition works on 16-byte chunks: square blocks of edge lanes by edge
// depths, two for float64 and four for float32. A register gathers the chunks
// of lanes r, r+edge, r+2·edge…, so that transposing inside its 128-bit parts
// leaves group consecutive lanes of one depth: what is stored.
type transposition struct {
	shape
	edge, chunks int
	from         []Mem // lane l
	scale        VecVirtual
}

func (s shape) transposition() *transposition {
	t := &transposition{shape: s, edge: 16 / s.size, chunks: 4}
	if s.size == 4 && s.vector == 32 {
		t.chunks = 2 // sixteen registers
	}
	return t
}

// steps is how many depths are transposed at a time.
func (t *transposition) steps() int { return t.chunks * t.edge }

// packTranspose generates the packing of lanes that lie apart.
func (s shape) packTranspose() {
	t := s.transposition()
	TEXT(s.name("transpose"), NOSPLITattr, fmt.Sprintf(
		"func(n int, dst []%[1]s, width int, src []%[1]s, stride int, scale %[1]s)", s.typ()))
	Pragma("noescape")
	Doc(s.name("transpose")+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", s.group),
		"\t\t\tdst[p*width+l] = scale * src[l*stride+p]",
		"\t\t}", "\t}", "", fmt.Sprintf("for n a multiple of %d, at least that.", t.steps()))
	n := Load(Param("n"), GP64()).(GPVirtual)
	dst, width := base("dst"), s.bytes("width")
	src := t.loadLanes()
	t.scale = s.loadScale()
	Label("block")
	t.block(dst, width)
	for _, p := range src {
		ADDQ(Imm(uint64(16*t.chunks)), p)
	}
	SUBQ(Imm(uint64(t.steps())), n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// loadLanes makes the addresses of the lanes, four to a pointer, and returns
// the pointers.
func (t *transposition) loadLanes() (ptrs []GPVirtual) {
	src, stride := base("src"), t.bytes("stride")
	triple := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, triple)
	for l := 0; l < t.group; l += 4 {
		if l > 0 {
			up := GP64()
			LEAQ(Mem{Base: src, Index: stride, Scale: 4}, up)
			src = up
		}
		ptrs = append(ptrs, src)
		t.from = append(t.from, Mem{Base: src}, Mem{Base: src, Index: stride, Scale: 1},
			Mem{Base: src, Index: stride, Scale: 2}, Mem{Base: src, Index: triple, Scale: 1})
	}
	return ptrs
}

// block transposes group lanes by chunks·edge depths. Each lane's line is
// loaded in one go: at a power-of-two stride the lanes share an L1 set.
func (t *transposition) block(dst, width GPVirtual) {
	in := make([][]VecVirtual, t.chunks)
	for c := range in {
		in[c] = registers(t.edge, t.group*t.size)
	}
	for l, from := range t.from {
		for c := range in {
			t.gather(from.Offset(16*c), l/t.edge, in[c][l%t.edge])
		}
	}
	for c := range in {
		for _, x := range t.transposed(in[c]) {
			t.mul()(narrow(t.scale, t.group*t.size), x, x)
			t.mov()(x, Mem{Base: dst})
			ADDQ(width, dst)
		}
	}
}

// gather loads 16 bytes to a 128-bit part of x.
func (t *transposition) gather(from Mem, part int, x VecVirtual) {
	switch {
	case part == 0:
		t.mov()(from, x.AsX())
	case t.vector == 64:
		VINSERTF32X4(Imm(uint64(part)), from, x, x)
	default:
		VINSERTF128(Imm(uint64(part)), from, x, x)
	}
}

// transposed transposes the edge×edge blocks in the 128-bit parts of x.
func (t *transposition) transposed(x []VecVirtual) []VecVirtual {
	y := registers(t.edge, t.group*t.size)
	if t.edge == 2 {
		VUNPCKLPD(x[1], x[0], y[0])
		VUNPCKHPD(x[1], x[0], y[1])
		return y
	}
	VUNPCKLPS(x[1], x[0], y[0]) // lanes 0 1 0 1, depths 0 0 1 1
	VUNPCKHPS(x[1], x[0], y[1])
	VUNPCKLPS(x[3], x[2], y[2])
	VUNPCKHPS(x[3], x[2], y[3])
	VUNPCKLPD(y[2], y[0], x[0])
	VUNPCKHPD(y[2], y[0], x[1])
	VUNPCKLPD(y[3], y[1], x[2])
	VUNPCKHPD(y[3], y[1], x[3])
	return x
}
