package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packRows generates the copy of contiguous lanes into micro-panels of width
// lanes.
func (s shape) packRows(operand string, width int) {
	TEXT(s.name("packRows"+operand), NOSPLITattr, fmt.Sprintf(
		"func(n int, dst, src []%[1]s, stride int, scale %[1]s)", s.typ()))
	Pragma("noescape")
	Doc(s.name("packRows"+operand)+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		fmt.Sprintf("\t\t\tdst[p*%d+l] = scale * src[p*stride+l]", width),
		"\t\t}", "\t}", "", "for n of at least 1.")
	n := Load(Param("n"), GP64()).(GPVirtual)
	dst, src, stride := base("dst"), base("src"), s.bytes("stride")
	scale := s.loadScale()
	Label("depth")
	s.copyRow(dst, src, width, scale)
	ADDQ(stride, src)
	ADDQ(U32(width*s.size), dst)
	DECQ(n)
	JNZ(LabelRef("depth"))
	VZEROUPPER()
	RET()
}

// sumRows generates the copy of contiguous lanes into micro-panels of width lanes,
// whose sums at each depth it adds up as across does.
func (s shape) sumRows(width int) {
	bytes, vecs := s.part(width)
	name := s.name("sumRowsB")
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, dst, src []%[1]s, stride int, sum []%[1]s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		fmt.Sprintf("\t\t\tdst[p*%d+l] = src[p*stride+l]", width),
		"\t\t\tsum[p] += src[p*stride+l]",
		"\t\t}", "\t}", "", "for n of at least 1, the sums in any order.")
	n := Load(Param("n"), GP64()).(GPVirtual)
	dst, src, stride := base("dst"), base("src"), s.bytes("stride")
	r := rows{shape: s, bytes: bytes, vecs: vecs, x: src, to: base("sum")}
	s.turns(n, s.rowsAtATime(), func(rows int) {
		r.sum(rows, func(p, v int, value VecVirtual) {
			s.mov()(value, Mem{Base: dst, Disp: p*width*s.size + v*bytes})
		}, func() { ADDQ(stride, src) })
		ADDQ(U32(rows*width*s.size), dst)
	})
	VZEROUPPER()
	RET()
}

// copyRow scales one row of width elements, in the widest vectors that fit.
func (s shape) copyRow(dst, src GPVirtual, width int, scale VecVirtual) {
	for at, bytes := 0, width*s.size; at < bytes; {
		v := s.vector
		for v > bytes-at {
			v /= 2
		}
		s.copyVector(Mem{Base: dst, Disp: at}, Mem{Base: src, Disp: at}, v, scale)
		at += v
	}
}

func (s shape) copyVector(dst, src Mem, bytes int, scale VecVirtual) {
	x := register(bytes)
	if bytes == 8 {
		VMOVSD(src, x)
		s.mul()(narrow(scale, bytes), x, x)
		VMOVSD(x, dst)
		return
	}
	s.mul()(src, narrow(scale, bytes), x)
	s.mov()(x, dst)
}

func (s shape) loadScale() VecVirtual {
	p, err := Param("scale").Resolve()
	if err != nil {
		panic(err)
	}
	scale := register(s.vector)
	s.broadcast(p.Addr, scale)
	return scale
}

// narrow returns the low part of a register.
func narrow(r VecVirtual, bytes int) Op {
	switch bytes {
	case 64:
		return r.AsZ()
	case 32:
		return r.AsY()
	}
	return r.AsX()
}
