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
	s.across(width, bytes, vecs)
	s.both(width, bytes, vecs)
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
	twice := vecs == 1 && 2*bytes == s.vector
	for set := range sets {
		sum, abs = append(sum, registers(vecs, bytes)), append(abs, registers(vecs, bytes))
		if twice {
			sum[set][0], abs[set][0] = register(2*bytes), register(2*bytes)
		}
		for v := range vecs {
			if set == 0 {
				s.mov()(Mem{Base: toValue, Disp: v * bytes}, narrow(sum[0][v], bytes))
				s.mov()(Mem{Base: toSize, Disp: v * bytes}, narrow(abs[0][v], bytes))
				continue
			}
			s.xor()(sum[set][v], sum[set][v], sum[set][v])
			s.xor()(abs[set][v], abs[set][v], abs[set][v])
		}
	}
	if twice {
		s.weighTwice(n, x, step, w, wAbs, sum, abs)
	}
	row := func(set int) {
		s.broadcast(Mem{Base: w}, weight)
		s.broadcast(Mem{Base: wAbs}, weightAbs)
		for v := range vecs {
			s.mov()(Mem{Base: x, Disp: v * bytes}, value)
			s.and()(value, mask, size)
			s.fma()(value, weight, narrow(sum[set][v], bytes))
			s.fma()(size, weightAbs, narrow(abs[set][v], bytes))
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
		for i, x := range [][][]VecVirtual{sum, abs} {
			all := narrow(x[0][v], bytes)
			for set := 1; set < sets; set++ {
				s.add()(narrow(x[set][v], bytes), all, all)
			}
			s.mov()(all, Mem{Base: []GPVirtual{toValue, toSize}[i], Disp: v * bytes})
		}
	}
	VZEROUPPER()
	RET()
}

// weighTwice generates the weighted sums of rows of half a vector that follow one
// another, two at a time. It leaves each sum in the lower half of its register.
func (s shape) weighTwice(n, x, step, w, wAbs GPVirtual, sum, abs [][]VecVirtual) {
	vector, half, turn := s.vector, s.vector/2, 2*len(sum)
	value, size, mask := register(vector), register(vector), s.signMask(vector)
	weight, weightAbs, second := register(vector), register(vector), register(vector)
	upper, one := K(), GP32()
	MOVL(U32(0xff00), one)
	KMOVW(one, upper)
	MOVL(U32(1), one)
	VPBROADCASTD_Z(one, upper, second) // the first weight for the lower half, the second for the upper one
	CMPQ(step, Imm(uint64(half)))
	JNE(LabelRef("apart"))
	Label("twos")
	CMPQ(n, Imm(uint64(turn)))
	JLT(LabelRef("halves"))
	for set := range sum {
		for i, to := range []VecVirtual{weight, weightAbs} {
			VBROADCASTSD(Mem{Base: []GPVirtual{w, wAbs}[i], Disp: 2 * set * s.size}, to)
			VPERMILPS(second, to, to)
		}
		s.mov()(Mem{Base: x, Disp: set * vector}, value)
		s.and()(value, mask, size)
		s.fma()(value, weight, sum[set][0])
		s.fma()(size, weightAbs, abs[set][0])
	}
	ADDQ(U32(turn*half), x)
	ADDQ(Imm(uint64(turn*s.size)), w)
	ADDQ(Imm(uint64(turn*s.size)), wAbs)
	SUBQ(Imm(uint64(turn)), n)
	JMP(LabelRef("twos"))
	Label("halves")
	for set := range sum {
		for _, v := range []VecVirtual{sum[set][0], abs[set][0]} {
			high := register(half)
			VEXTRACTF64X4(Imm(1), v, high)
			s.add()(narrow(v, half), high, narrow(v, half))
		}
	}
	Label("apart")
}

// sumDepths is the depths whose checksums lie side by side: see package gemm.
const sumDepths = 64

// checksums generates the sum of checksums: rows of sums and sums of magnitudes.
func (s shape) checksums() {
	vecs := 2 * sumDepths * s.size / s.vector
	name := s.name("checksums")
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x, sum []%s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", 2*sumDepths),
		fmt.Sprintf("\t\t\tsum[l] += x[p*%d+l]", 2*sumDepths),
		"\t\t}", "\t}", "", "for n of at least 1.")
	n, x, to := Load(Param("n"), GP64()).(GPVirtual), base("x"), base("sum")
	sum := registers(vecs, s.vector)
	for v := range vecs {
		s.mov()(Mem{Base: to, Disp: v * s.vector}, sum[v])
	}
	Label("row")
	for v := range vecs {
		s.add()(Mem{Base: x, Disp: v * s.vector}, sum[v], sum[v])
	}
	ADDQ(U32(vecs*s.vector), x)
	DECQ(n)
	JNZ(LabelRef("row"))
	for v := range vecs {
		s.mov()(sum[v], Mem{Base: to, Disp: v * s.vector})
	}
	VZEROUPPER()
	RET()
}

// across generates the sums across rows, and those of magnitudes.
func (s shape) across(width, bytes, vecs int) {
	name := fmt.Sprintf("%sx%d", s.name("across"), width)
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, value, size []%[1]s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		"\t\t\tvalue[p] += x[p*step+l]",
		"\t\t\tsize[p] += |x[p*step+l]|",
		"\t\t}", "\t}", "", "for n of at least 1, the sums in any order.")
	n, x, step := Load(Param("n"), GP64()).(GPVirtual), base("x"), s.bytes("step")
	r := rows{s, bytes, vecs, x, base("value"), base("size"), s.signMask(bytes)}
	r.loop(n, func(rows int) {
		r.sum(rows, func(int, int, VecVirtual, VecVirtual) {}, func() { ADDQ(step, x) })
	})
}

// both generates what weigh and across do of the same rows.
func (s shape) both(width, bytes, vecs int) {
	name := fmt.Sprintf("%sx%d", s.name("both"), width)
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, w, wAbs, down, downSize, across, acrossSize []%[1]s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		"\t\t\tdown[l] += w[p] * x[p*step+l]",
		"\t\t\tdownSize[l] += wAbs[p] * |x[p*step+l]|",
		"\t\t\tacross[p] += x[p*step+l]",
		"\t\t\tacrossSize[p] += |x[p*step+l]|",
		"\t\t}", "\t}", "", "for n of at least 1, the sums in any order.")
	n, x, step := Load(Param("n"), GP64()).(GPVirtual), base("x"), s.bytes("step")
	w, wAbs, down, downSize := base("w"), base("wAbs"), base("down"), base("downSize")
	r := rows{s, bytes, vecs, x, base("across"), base("acrossSize"), s.signMask(bytes)}
	sum, abs := registers(vecs, bytes), registers(vecs, bytes)
	for v := range vecs {
		s.mov()(Mem{Base: down, Disp: v * bytes}, sum[v])
		s.mov()(Mem{Base: downSize, Disp: v * bytes}, abs[v])
	}
	weight, weightAbs := register(bytes), register(bytes)
	r.loop(n, func(rows int) {
		r.sum(rows, func(p, v int, value, size VecVirtual) {
			if v == 0 {
				s.broadcast(Mem{Base: w, Disp: p * s.size}, weight)
				s.broadcast(Mem{Base: wAbs, Disp: p * s.size}, weightAbs)
			}
			s.fma()(value, weight, sum[v])
			s.fma()(size, weightAbs, abs[v])
		}, func() { ADDQ(step, x) })
		ADDQ(Imm(uint64(rows*s.size)), w)
		ADDQ(Imm(uint64(rows*s.size)), wAbs)
	}, func() {
		for v := range vecs {
			s.mov()(sum[v], Mem{Base: down, Disp: v * bytes})
			s.mov()(abs[v], Mem{Base: downSize, Disp: v * bytes})
		}
	})
}

// rows are rows of vectors at x that are summed across, to value and size.
type rows struct {
	shape
	bytes, vecs   int // of a vector; of a row
	x, value, abs GPVirtual
	mask          VecVirtual
}

// turn returns the rows that are summed at a time: as many as there are lanes, or
// registers for.
func (r rows) turn() int {
	if r.vector == 32 {
		return 4
	}
	return 8
}

// loop generates n rows, as many as possible in turns, what follows them, and the end
// of the routine.
func (r rows) loop(n GPVirtual, some func(rows int), end ...func()) {
	turn := uint64(r.turn())
	Label("turns")
	CMPQ(n, Imm(turn))
	JLT(LabelRef("rest"))
	some(r.turn())
	SUBQ(Imm(turn), n)
	JMP(LabelRef("turns"))
	Label("rest")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	Label("row")
	some(1)
	DECQ(n)
	JNZ(LabelRef("row"))
	Label("done")
	for _, e := range end {
		e()
	}
	VZEROUPPER()
	RET()
}

// sum adds the sums of so many rows, a power of two, gives the vectors of each row to
// use, and moves on by next after each.
func (r rows) sum(n int, use func(p, v int, value, size VecVirtual), next func()) {
	sums := r.folded(0, n, use, next)
	for i, to := range []GPVirtual{r.value, r.abs} {
		for pieces := n; pieces < r.bytes/r.size; pieces *= 2 {
			r.fold(sums[i], sums[i], pieces)
		}
		at := Mem{Base: to}
		if n == 1 {
			r.of(VADDSD, VADDSS)(at, sums[i].AsX(), sums[i].AsX())
			r.of(VMOVSD, VMOVSS)(sums[i].AsX(), at)
		} else {
			sum := narrow(sums[i], n*r.size)
			r.add()(at, sum, sum)
			r.mov()(sum, at)
		}
		ADDQ(Imm(uint64(n*r.size)), to)
	}
}

// folded returns vectors of the sums of n rows from row p on, and of their magnitudes:
// each sum in as many parts as are left of a vector.
func (r rows) folded(p, n int, use func(p, v int, value, size VecVirtual), next func()) [2]VecVirtual {
	if n == 1 {
		sums := r.row(p, use)
		next()
		return sums
	}
	low, high := r.folded(p, n/2, use, next), r.folded(p+n/2, n/2, use, next)
	for i := range low {
		r.fold(low[i], high[i], n/2)
	}
	return low
}

// row returns the sum of the vectors of a row, and that of their magnitudes.
func (r rows) row(p int, use func(p, v int, value, size VecVirtual)) (sums [2]VecVirtual) {
	for v := range r.vecs {
		value, size := register(r.bytes), register(r.bytes)
		r.mov()(Mem{Base: r.x, Disp: v * r.bytes}, value)
		r.and()(value, r.mask, size)
		use(p, v, value, size)
		if v == 0 {
			sums = [2]VecVirtual{value, size}
			continue
		}
		r.add()(value, sums[0], sums[0])
		r.add()(size, sums[1], sums[1])
	}
	return sums
}

// fold halves the parts of sums, those of n rows in each of two vectors, and leaves
// them in the first.
func (r rows) fold(low, high VecVirtual, n int) {
	odd := register(r.bytes)
	switch piece := n * r.size; {
	case piece == 4:
		VUNPCKHPS(high, low, odd)
		VUNPCKLPS(high, low, low)
	case piece == 8:
		VUNPCKHPD(high, low, odd)
		VUNPCKLPD(high, low, low)
	case r.bytes == 64:
		VSHUFF64X2(Imm(0xdd), high, low, odd)
		VSHUFF64X2(Imm(0x88), high, low, low)
	default:
		VPERM2F128(Imm(0x31), high, low, odd)
		VPERM2F128(Imm(0x20), high, low, low)
	}
	r.add()(odd, low, low)
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
