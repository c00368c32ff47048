package main

import (
	"fmt"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// part returns the vectors that rows of width lanes are read in, and how many:
// none if they are not whole vectors.
func (s shape) part(width int) (bytes, vecs int) {
	bytes = s.vector
	for bytes > width*s.size && bytes > 16 {
		bytes /= 2
	}
	if width*s.size%bytes != 0 {
		return 0, 0
	}
	return bytes, width * s.size / bytes
}

// parted returns the lanes of the parts of sums that gather makes.
func (s shape) parted() (lanes []int) {
	for _, width := range s.summed() {
		if bytes, _ := s.part(width); !slices.Contains(lanes, bytes/s.size) {
			lanes = append(lanes, bytes/s.size)
		}
	}
	return lanes
}

// summed returns the widths of rows that are summed: those of A's micro-panels, of
// what a micro-kernel takes of B's, and, if there are registers for it, a wide one.
func (s shape) summed() (widths []int) {
	for cols := s.lanes(); cols <= s.nr; cols += s.lanes() {
		widths = append(widths, cols)
	}
	if _, vecs := s.part(s.mr); vecs > 0 && !slices.Contains(widths, s.mr) {
		widths = append(widths, s.mr)
	}
	if s.vector == 64 {
		widths = append(widths, 8*s.lanes())
	}
	return widths
}

// sums generates the sums of rows of width lanes.
func (s shape) sums(width int) {
	bytes, vecs := s.part(width)
	s.weigh(width, bytes, vecs)
	s.gather(width, bytes, vecs)
}

// weigh generates the weighted sum of rows, and that of magnitudes.
func (s shape) weigh(width, bytes, vecs int) {
	name := fmt.Sprintf("%sx%d", s.name("weigh"), width)
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, w, wAbs, value, size []%[1]s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		"\t\t\tvalue[l] += w[p] * x[p*step+l]",
		"\t\t\tsize[l] += wAbs[p] * |x[p*step+l]|",
		"\t\t}", "\t}", "", "for n of at least 1, the sums in any order.")
	sets := max(1, 4/vecs) // of sums, so that none waits for its last addition
	if vecs > 2 {
		sets = 1
	}
	n, x, step := Load(Param("n"), GP64()).(GPVirtual), base("x"), s.bytes("step")
	w, wAbs, toValue, toSize := base("w"), base("wAbs"), base("value"), base("size")
	mask, value, size := s.signMask(bytes), register(bytes), register(bytes)
	weight, weightAbs := register(bytes), register(bytes)
	var sum, abs [][]VecVirtual
	for set := range sets {
		sum, abs = append(sum, registers(vecs, bytes)), append(abs, registers(vecs, bytes))
		for v := range vecs {
			if set == 0 {
				s.mov()(Mem{Base: toValue, Disp: v * bytes}, sum[0][v])
				s.mov()(Mem{Base: toSize, Disp: v * bytes}, abs[0][v])
				continue
			}
			s.xor()(sum[set][v], sum[set][v], sum[set][v])
			s.xor()(abs[set][v], abs[set][v], abs[set][v])
		}
	}
	row := func(set int) {
		s.broadcast(Mem{Base: w}, weight)
		s.broadcast(Mem{Base: wAbs}, weightAbs)
		for v := range vecs {
			s.mov()(Mem{Base: x, Disp: v * bytes}, value)
			s.and()(value, mask, size)
			s.fma()(value, weight, sum[set][v])
			s.fma()(size, weightAbs, abs[set][v])
		}
		ADDQ(step, x)
		ADDQ(Imm(uint64(s.size)), w)
		ADDQ(Imm(uint64(s.size)), wAbs)
	}
	if sets > 1 {
		Label("turns")
		CMPQ(n, Imm(uint64(sets)))
		JLT(LabelRef("rest"))
		for set := range sets {
			row(set)
		}
		SUBQ(Imm(uint64(sets)), n)
		JMP(LabelRef("turns"))
		Label("rest")
		TESTQ(n, n)
		JZ(LabelRef("done"))
	}
	Label("row")
	row(0)
	DECQ(n)
	JNZ(LabelRef("row"))
	Label("done")
	for v := range vecs {
		for set := 1; set < sets; set++ {
			s.add()(sum[set][v], sum[0][v], sum[0][v])
			s.add()(abs[set][v], abs[0][v], abs[0][v])
		}
		s.mov()(sum[0][v], Mem{Base: toValue, Disp: v * bytes})
		s.mov()(abs[0][v], Mem{Base: toSize, Disp: v * bytes})
	}
	VZEROUPPER()
	RET()
}

// gather generates the sum of the vectors of each row, and that of magnitudes.
func (s shape) gather(width, bytes, vecs int) {
	name, lanes := fmt.Sprintf("%sx%d", s.name("gather"), width), bytes/s.size
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, dst []%[1]s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		fmt.Sprintf("\t\t\tdst[p*%d+l%%%d] += x[p*step+l]", 2*lanes, lanes),
		fmt.Sprintf("\t\t\tdst[p*%d+%d+l%%%d] += |x[p*step+l]|", 2*lanes, lanes, lanes),
		"\t\t}", "\t}", "", "for n of at least 1, the sums in any order.")
	n, x, step, dst := Load(Param("n"), GP64()).(GPVirtual), base("x"), s.bytes("step"), base("dst")
	mask := s.signMask(bytes)
	Label("row")
	s.addRow(x, dst, bytes, vecs, mask, func(int, VecVirtual) {})
	ADDQ(step, x)
	ADDQ(Imm(uint64(2*bytes)), dst)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// addRow adds the vectors of the row at x, and their magnitudes, to parts, and gives
// each vector to use.
func (s shape) addRow(x, parts GPVirtual, bytes, vecs int, mask VecVirtual, use func(v int, value VecVirtual)) {
	sum, abs, value, size := register(bytes), register(bytes), register(bytes), register(bytes)
	for v := range vecs {
		s.mov()(Mem{Base: x, Disp: v * bytes}, value)
		use(v, value)
		s.and()(value, mask, size)
		if v == 0 {
			s.add()(Mem{Base: parts}, value, sum)
			s.add()(Mem{Base: parts, Disp: bytes}, size, abs)
		} else {
			s.add()(value, sum, sum)
			s.add()(size, abs, abs)
		}
	}
	s.mov()(sum, Mem{Base: parts})
	s.mov()(abs, Mem{Base: parts, Disp: bytes})
}

// foldRows is the number of rows that fold adds up at a time.
const foldRows = 8

// fold generates the sums over the lanes of what gather makes.
func (s shape) fold(lanes int) {
	name := fmt.Sprintf("%sx%d", s.name("fold"), lanes)
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, parts, value, size []%s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		"\t\tvalue[p], size[p] = 0, 0",
		fmt.Sprintf("\t\tfor l := range %d {", lanes),
		fmt.Sprintf("\t\t\tvalue[p] += parts[p*%d+l]", 2*lanes),
		fmt.Sprintf("\t\t\tsize[p] += parts[p*%d+%d+l]", 2*lanes, lanes),
		"\t\t}", "\t}", "", fmt.Sprintf("for n a positive multiple of %d, the sums in any order.", foldRows))
	n, parts, value, size := Load(Param("n"), GP64()).(GPVirtual), base("parts"), base("value"), base("size")
	row := 2 * lanes * s.size // bytes
	Label("rows")
	for i, to := range []GPVirtual{value, size} {
		for p := 0; p < foldRows; p += 32 / s.size {
			s.mov()(s.foldVector(parts, p*row+i*row/2, row, lanes), Mem{Base: to, Disp: p * s.size})
		}
		ADDQ(Imm(uint64(foldRows*s.size)), to)
	}
	ADDQ(U32(foldRows*row), parts)
	SUBQ(Imm(foldRows), n)
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}

// foldVector returns the sums of as many rows as a vector of 32 bytes has lanes.
func (s shape) foldVector(parts GPVirtual, at, row, lanes int) VecVirtual {
	sums := make([]VecVirtual, 32/s.size)
	for p := range sums {
		sums[p] = YMM()
		from := Mem{Base: parts, Disp: at + p*row}
		s.mov()(from, sums[p])
		if lanes*s.size == 64 {
			s.add()(from.Offset(32), sums[p], sums[p])
		}
	}
	for len(sums) > 2 {
		for i := range len(sums) / 2 {
			s.addPairs(sums[2*i+1], sums[2*i], sums[i])
		}
		sums = sums[:len(sums)/2]
	}
	low := YMM()
	VPERM2F128(Imm(0x20), sums[1], sums[0], low)
	VPERM2F128(Imm(0x31), sums[1], sums[0], sums[0])
	s.add()(low, sums[0], sums[0])
	return sums[0]
}

// signMask returns a register with all bits but the signs.
func (s shape) signMask(bytes int) VecVirtual {
	mask, bits, low := register(bytes), GP64(), XMM()
	if s.size == 8 {
		MOVQ(U64(math.MaxInt64), bits)
		VMOVQ(bits, low)
	} else {
		MOVL(U32(math.MaxInt32), bits.As32())
		VMOVD(bits.As32(), low)
	}
	s.broadcast(low, mask)
	return mask
}
