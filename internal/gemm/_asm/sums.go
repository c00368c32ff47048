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

// weigh generates the weighted sum of rows.
func (s shape) weigh(width, bytes, vecs int) {
	name := fmt.Sprintf("%sx%d", s.name("weigh"), width)
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, w, sum []%[1]s, bits uint64)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		"\t\t\tsum[l] += w[p] * (x[p*step+l] & bits)",
		"\t\t}", "\t}", "", "for n of at least 1, the sums in any order, but what was in sum last.")
	sets := max(1, 8/vecs) // of sums, so that none waits for its last addition
	n, x, step := Load(Param("n"), GP64()).(GPVirtual), base("x"), s.bytes("step")
	w, to := base("w"), base("sum")
	sums := make([][]VecVirtual, sets)
	halves, whole := vecs == 1 && 2*bytes == s.vector, bytes
	if halves { // of a vector: two rows are added at a time
		whole = s.vector
	}
	for set := range sums {
		sums[set] = registers(vecs, whole)
		for _, sum := range sums[set] {
			s.xor()(sum, sum, sum)
		}
	}
	mask, value, weight := s.bits(whole), register(bytes), register(bytes)
	if halves {
		s.weighTwice(n, x, step, w, mask, sums)
	}
	row := func(p, set int) {
		s.broadcast(Mem{Base: w, Disp: p * s.size}, weight)
		for v, sum := range sums[set] {
			s.and()(Mem{Base: x, Disp: v * bytes}, narrow(mask, bytes), value)
			s.fma()(value, weight, narrow(sum, bytes))
		}
		ADDQ(step, x)
	}
	s.turns(n, max(sets, 2), func(rows int) {
		for p := range rows {
			row(p, p%sets)
		}
		ADDQ(Imm(uint64(rows*s.size)), w)
	})
	for v, sum := range sums[0] {
		all := narrow(sum, bytes)
		for set := 1; set < sets; set++ {
			s.add()(narrow(sums[set][v], bytes), all, all)
		}
		s.add()(Mem{Base: to, Disp: v * bytes}, all, all)
		s.mov()(all, Mem{Base: to, Disp: v * bytes})
	}
	VZEROUPPER()
	RET()
}

// weighTwice generates the weighted sums of rows of half a vector that follow one
// another, two at a time. It leaves each sum in the lower half of its register.
func (s shape) weighTwice(n, x, step, w GPVirtual, mask VecVirtual, sums [][]VecVirtual) {
	vector, half, turn := s.vector, s.vector/2, 2*len(sums)
	value, weight, second := register(vector), register(vector), register(vector)
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
	for set := range sums {
		VBROADCASTSD(Mem{Base: w, Disp: 2 * set * s.size}, weight)
		VPERMILPS(second, weight, weight)
		s.and()(Mem{Base: x, Disp: set * vector}, mask, value)
		s.fma()(value, weight, sums[set][0])
	}
	ADDQ(U32(turn*half), x)
	ADDQ(Imm(uint64(turn*s.size)), w)
	SUBQ(Imm(uint64(turn)), n)
	JMP(LabelRef("twos"))
	Label("halves")
	for _, sum := range sums {
		low, high := narrow(sum[0], half), register(half)
		VEXTRACTF64X4(Imm(1), sum[0], high)
		s.add()(low, high, low)
	}
	Label("apart")
}

// turns generates a loop over n rows, so many at a time, and over those that are left.
func (s shape) turns(n GPVirtual, turn int, some func(rows int)) {
	Label("turns")
	CMPQ(n, Imm(uint64(turn)))
	JLT(LabelRef("rest"))
	some(turn)
	SUBQ(Imm(uint64(turn)), n)
	JMP(LabelRef("turns"))
	Label("rest")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	Label("row")
	some(1)
	DECQ(n)
	JNZ(LabelRef("row"))
	Label("done")
}

// sumDepths is the depths whose checksums lie side by side: see package gemm.
const sumDepths = 64

// checksums generates the sum of checksums: rows of them.
func (s shape) checksums() {
	vecs := sumDepths * s.size / s.vector
	name := s.name("checksums")
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x, sum []%s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", sumDepths),
		fmt.Sprintf("\t\t\tsum[l] += x[p*%d+l]", sumDepths),
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

// across generates the weighted sums across rows.
func (s shape) across(width, bytes, vecs int) {
	name := fmt.Sprintf("%sx%d", s.name("across"), width)
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, w, sum []%[1]s, bits uint64)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		"\t\t\tsum[p] += w[l] * (x[p*step+l] & bits)",
		"\t\t}", "\t}", "", "for n of at least 1, the sums in any order.")
	n, x, step, w := Load(Param("n"), GP64()).(GPVirtual), base("x"), s.bytes("step"), base("w")
	r := rows{shape: s, bytes: bytes, vecs: vecs, x: x, w: registers(vecs, bytes), summands: []summand{{s.bits(bytes), base("sum")}}}
	for v, weight := range r.w {
		s.mov()(Mem{Base: w, Disp: v * bytes}, weight)
	}
	s.turns(n, s.rowsAtATime(), func(rows int) {
		r.sum(rows, func(int, int, VecVirtual) {}, func() { ADDQ(step, x) })
	})
	VZEROUPPER()
	RET()
}

// both generates what weigh and across do of the same rows.
func (s shape) both(width, bytes, vecs int) {
	name := fmt.Sprintf("%sx%d", s.name("both"), width)
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, w, down, across []%[1]s)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		"\t\t\tdown[l] += w[p] * x[p*step+l]",
		"\t\t\tacross[p] += x[p*step+l]",
		"\t\t}", "\t}", "", "for n of at least 1, the sums in any order.")
	n, x, step := Load(Param("n"), GP64()).(GPVirtual), base("x"), s.bytes("step")
	w, down := base("w"), base("down")
	r := rows{shape: s, bytes: bytes, vecs: vecs, x: x, summands: []summand{{nil, base("across")}}}
	sum := registers(vecs, bytes)
	for v := range vecs {
		s.mov()(Mem{Base: down, Disp: v * bytes}, sum[v])
	}
	weight := register(bytes)
	s.turns(n, s.rowsAtATime(), func(rows int) {
		r.sum(rows, func(p, v int, value VecVirtual) {
			if v == 0 {
				s.broadcast(Mem{Base: w, Disp: p * s.size}, weight)
			}
			s.fma()(value, weight, sum[v])
		}, func() { ADDQ(step, x) })
		ADDQ(Imm(uint64(rows*s.size)), w)
	})
	for v := range vecs {
		s.mov()(sum[v], Mem{Base: down, Disp: v * bytes})
	}
	VZEROUPPER()
	RET()
}

// rows are rows of vectors at x that are summed across.
type rows struct {
	shape
	bytes, vecs int // of a vector; of a row
	x           GPVirtual
	w           []VecVirtual // weights of a row's elements; nil for ones
	summands    []summand
}

// A summand is what is summed of the elements of rows, and where to: the bits of a
// mask, or all of them if there is none, which only the first of several summands may
// do without.
type summand struct {
	mask VecVirtual
	to   GPVirtual
}

// rowsAtATime returns how many rows are summed across together: as many as there are
// lanes, or registers for.
func (s shape) rowsAtATime() int {
	if s.vector == 32 {
		return 4
	}
	return 8
}

// sum adds the sums of so many rows, a power of two, gives the vectors of each row to
// use, and moves on by next after each.
func (r rows) sum(n int, use func(p, v int, value VecVirtual), next func()) {
	for i, sum := range r.folded(0, n, use, next) {
		for pieces := n; pieces < r.bytes/r.size; pieces *= 2 {
			r.fold(sum, sum, pieces)
		}
		at := Mem{Base: r.summands[i].to}
		if n == 1 {
			r.of(VADDSD, VADDSS)(at, sum.AsX(), sum.AsX())
			r.of(VMOVSD, VMOVSS)(sum.AsX(), at)
		} else {
			low := narrow(sum, n*r.size)
			r.add()(at, low, low)
			r.mov()(low, at)
		}
		ADDQ(Imm(uint64(n*r.size)), r.summands[i].to)
	}
}

// folded returns vectors of the sums of n rows from row p on: each sum in as many parts
// as are left of a vector.
func (r rows) folded(p, n int, use func(p, v int, value VecVirtual), next func()) []VecVirtual {
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

// row returns the sums of the vectors of a row.
func (r rows) row(p int, use func(p, v int, value VecVirtual)) []VecVirtual {
	sums := make([]VecVirtual, len(r.summands))
	for v := range r.vecs {
		value := register(r.bytes)
		r.mov()(Mem{Base: r.x, Disp: v * r.bytes}, value)
		use(p, v, value)
		for i := len(r.summands) - 1; i >= 0; i-- {
			x := value
			if r.summands[i].mask != nil {
				x = register(r.bytes)
				r.and()(value, r.summands[i].mask, x)
			}
			switch {
			case v == 0:
				if sums[i] = x; r.w != nil {
					r.mul()(r.w[v], x, x)
				}
			case r.w != nil:
				r.fma()(r.w[v], x, sums[i])
			default:
				r.add()(x, sums[i], sums[i])
			}
		}
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

// bits loads the bits of an element that count, which are given for eight bytes.
func (s shape) bits(bytes int) VecVirtual {
	p, err := Param("bits").Resolve()
	if err != nil {
		panic(err)
	}
	mask := register(bytes)
	if bytes == 16 {
		VMOVDDUP(p.Addr, mask)
	} else {
		VBROADCASTSD(p.Addr, mask)
	}
	return mask
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
