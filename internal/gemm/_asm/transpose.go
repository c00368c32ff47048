package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A transposition works on pieces of lanes, 16 bytes of each, or 32 where what is stored
// takes a whole ZMM: a register has one piece, or two of lanes edge apart, and edge
// registers of consecutive lanes are transposed inside their 128-bit parts, as squares of
// edge lanes by edge depths.
type transposition struct {
	shape
	group         int   // lanes that are transposed together
	edge          int   // lanes in 16 bytes: two of float64, four of float32
	piece, pieces int   // bytes, and how many in a row of a lane are loaded together
	from          []Mem // lane l
	scale         VecVirtual
}

func (s shape) transposition(group int) *transposition {
	t := &transposition{shape: s, group: group, edge: 16 / s.size, piece: 16, pieces: 4}
	switch {
	case t.depthBytes() == 64:
		t.piece, t.pieces = 32, 2
	case s.size == 4 && s.vector == 32:
		t.pieces = 2 // sixteen registers
	}
	return t
}

// depthBytes is what is stored of each depth.
func (t *transposition) depthBytes() int { return t.group * t.size }

// steps is how many depths are transposed at a time.
func (t *transposition) steps() int { return t.pieces * t.piece / t.size }

// packTranspose generates the packing of so many lanes that lie apart.
func (s shape) packTranspose(group int) {
	t := s.transposition(group)
	name := fmt.Sprintf("%sx%d", s.name("transpose"), group)
	TEXT(name, NOSPLITattr, fmt.Sprintf(
		"func(n int, dst []%[1]s, width int, src []%[1]s, stride int, scale %[1]s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", group),
		"\t\t\tdst[p*width+l] = scale * src[l*stride+p]",
		"\t\t}", "\t}", "", fmt.Sprintf("for n a multiple of %d, at least that.", t.steps()))
	n := Load(Param("n"), GP64()).(GPVirtual)
	dst, width := base("dst"), s.bytes("width")
	src := t.loadLanes()
	t.scale = s.loadScale()
	Label("block")
	t.block(dst, width)
	for _, p := range src {
		ADDQ(Imm(uint64(t.piece*t.pieces)), p)
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

// block transposes the pieces that are loaded together. Each lane's line is loaded in one
// go: at a power-of-two stride the lanes share an L1 set.
func (t *transposition) block(dst, width GPVirtual) {
	in := make([][]VecVirtual, t.pieces)
	for c := range in {
		in[c] = registers(t.edge*t.piece/16, t.depthBytes())
	}
	for l, from := range t.from {
		r, part := l/(2*t.edge)*t.edge+l%t.edge, l/t.edge%2
		for c := range in {
			t.load(from.Offset(c*t.piece), part, in[c][r])
		}
	}
	for c := range in {
		for _, x := range t.depths(in[c]) {
			t.mul()(narrow(t.scale, t.depthBytes()), x, x)
			t.mov()(x, Mem{Base: dst})
			ADDQ(width, dst)
		}
	}
}

// load loads a piece to the lower or the upper half of x, if x has more than one.
func (t *transposition) load(from Mem, half int, x VecVirtual) {
	switch {
	case half == 0:
		t.mov()(from, narrow(x, t.piece))
	case t.piece == 32:
		VINSERTF64X4(Imm(1), from, x, x)
	case t.vector == 64:
		VINSERTF32X4(Imm(1), from, x, x)
	default:
		VINSERTF128(Imm(1), from, x, x)
	}
}

// depths returns what is to be stored, depth by depth, of the registers that hold a piece
// of each lane.
func (t *transposition) depths(x []VecVirtual) []VecVirtual {
	y := t.transposed(x[:t.edge])
	if t.piece == 16 {
		return y
	}
	// Both halves of a register of y or z have two parts of 16 bytes: edge depths apart.
	z := t.transposed(x[t.edge:])
	var out []VecVirtual
	for _, parts := range []uint64{0x88, 0xdd} { // the even ones of both registers, the odd ones
		for q := range y {
			both := register(t.depthBytes())
			VSHUFF64X2(Imm(parts), z[q], y[q], both)
			out = append(out, both)
		}
	}
	return out
}

// transposed transposes the edge×edge blocks in the 128-bit parts of x.
func (t *transposition) transposed(x []VecVirtual) []VecVirtual {
	y := registers(t.edge, t.depthBytes())
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
