package main

import (
	"fmt"
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
	s.weigh(width, bytes, vecs, false)
	s.across(width, bytes, vecs)
}

// weigh generates the weighted sum of rows, of the bits that count, or else of all and
// with the digests of the lanes, in steps of half a vector or whole ones.
func (s shape) weigh(width, bytes, vecs int, digested bool) {
	name, what, param := fmt.Sprintf("%sx%d", s.name("weigh"), width), "(x[p*step+l] & bits)", "bits uint64"
	doc := []string{"\t\t}", "\t}", "", "for n of at least 1, the sums in any order, but what was in sum last."}
	if digested {
		name, what, param = s.name("weighDigested"), "x[p*step+l]", "digest []uint64"
		doc = append([]string{"\t\t\tdigest[l] += bits of x[p*step+l], if that is a number"}, doc...)
	}
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, w, sum []%[1]s, %[2]s)", s.typ(), param))
	Pragma("noescape")
	Doc(append([]string{name + " is", "",
		"\tfor p := range n {",
		fmt.Sprintf("\t\tfor l := range %d {", width),
		fmt.Sprintf("\t\t\tsum[l] += w[p] * %s", what)}, doc...)...)
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
	r := reader{shape: s}
	if digested {
		r.digest = registers(vecs, whole)
		for _, d := range r.digest {
			s.xor()(d, d, d)
		}
	} else {
		r.mask = s.bits(whole)
	}
	value, weight := register(bytes), register(bytes)
	if halves {
		s.weighTwice(n, x, step, w, &r, sums)
	}
	row := func(p, set int) {
		s.broadcast(Mem{Base: w, Disp: p * s.size}, weight)
		for v, sum := range sums[set] {
			r.read(Mem{Base: x, Disp: v * bytes}, v, value, bytes)
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
	if digested {
		digest := base("digest")
		for v, d := range r.digest {
			if s.size == 4 {
				VPMOVZXDQ(narrow(d, bytes), d.AsZ())
			}
			at := Mem{Base: digest, Disp: v * 64}
			VPADDQ(at, d.AsZ(), d.AsZ())
			VMOVDQU64(d.AsZ(), at)
		}
	}
	VZEROUPPER()
	RET()
}

// A reader reads vectors of rows: the bits of a mask, or all of them, and adds these to
// digests.
type reader struct {
	shape
	mask   VecVirtual
	digest []VecVirtual // of each vector of a row; nil for none
}

func (r *reader) read(from Mem, v int, value VecVirtual, bytes int) {
	if r.digest == nil {
		r.and()(from, narrow(r.mask, bytes), value)
		return
	}
	r.mov()(from, value)
	r.count(narrow(value, bytes), narrow(r.digest[v], bytes))
}

// count adds the bits of the numbers in a vector to a digest.
func (s shape) count(value, digest Op) {
	numbers := K()
	s.of(VCMPPD, VCMPPS)(Imm(7), value, value, numbers) // ordered
	s.of(VPADDQ, VPADDD)(value, digest, numbers, digest)
}

// weighTwice generates the weighted sums of rows of half a vector that follow one
// another, two at a time. It leaves each sum in the lower half of its register.
func (s shape) weighTwice(n, x, step, w GPVirtual, r *reader, sums [][]VecVirtual) {
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
		r.read(Mem{Base: x, Disp: set * vector}, 0, value, vector)
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
	for _, d := range r.digest {
		low, high := narrow(d, half), register(half)
		VEXTRACTF64X4(Imm(1), d, high)
		VPADDD(low, high, low)
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

// digests generates the digests of rows of sumDepths elements, which are lanes.
func (s shape) digests() {
	name := s.name("digest")
	TEXT(name, NOSPLITattr, fmt.Sprintf("func(n int, x []%[1]s, step int, scale %[1]s, digest []uint64)", s.typ()))
	Pragma("noescape")
	Doc(name+" is", "",
		"\tfor l := range n {",
		fmt.Sprintf("\t\tfor p := range %d {", sumDepths),
		"\t\t\tdigest[l] += bits of scale * x[l*step+p], if that is a number",
		"\t\t}", "\t}", "", "for n of at least 1.")
	n, x, step := Load(Param("n"), GP64()).(GPVirtual), base("x"), s.bytes("step")
	scale, to := s.loadScale(), base("digest")
	Label("lane")
	sum := registers(2, s.vector)
	for i := range sum {
		s.xor()(sum[i], sum[i], sum[i])
	}
	for v := range sumDepths * s.size / s.vector {
		value := register(s.vector)
		s.mul()(Mem{Base: x, Disp: v * s.vector}, scale, value)
		s.count(value, sum[v%2])
	}
	add := s.of(VPADDQ, VPADDD)
	add(sum[1], sum[0], sum[0])
	part := register(s.vector)
	VEXTRACTI64X4(Imm(1), sum[0], part.AsY())
	add(part.AsY(), sum[0].AsY(), sum[0].AsY())
	VEXTRACTI128(Imm(1), sum[0].AsY(), part.AsX())
	add(part.AsX(), sum[0].AsX(), sum[0].AsX())
	VPSHUFD(Imm(0xee), sum[0].AsX(), part.AsX())
	add(part.AsX(), sum[0].AsX(), sum[0].AsX())
	all := GP64()
	if s.size == 4 {
		VPSHUFD(Imm(0x55), sum[0].AsX(), part.AsX())
		add(part.AsX(), sum[0].AsX(), sum[0].AsX())
		VMOVD(sum[0].AsX(), all.As32())
	} else {
		VMOVQ(sum[0].AsX(), all)
	}
	ADDQ(all, Mem{Base: to})
	ADDQ(Imm(8), to)
	ADDQ(step, x)
	DECQ(n)
	JNZ(LabelRef("lane"))
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
	r := rows{shape: s, bytes: bytes, vecs: vecs, x: x, w: registers(vecs, bytes), mask: s.bits(bytes), to: base("sum")}
	for v, weight := range r.w {
		s.mov()(Mem{Base: w, Disp: v * bytes}, weight)
	}
	s.turns(n, s.rowsAtATime(), func(rows int) {
		r.sum(rows, func(int, int, VecVirtual) {}, func() { ADDQ(step, x) })
	})
	VZEROUPPER()
	RET()
}

// rows are rows of vectors at x that are summed across.
type rows struct {
	shape
	bytes, vecs int // of a vector; of a row
	x           GPVirtual
	w           []VecVirtual // weights of a row's elements; nil for ones
	mask        VecVirtual   // of the bits that count; nil for all
	to          GPVirtual    // where the sums are added
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
	sum := r.folded(0, n, use, next)
	for pieces := n; pieces < r.bytes/r.size; pieces *= 2 {
		r.fold(sum, sum, pieces)
	}
	at := Mem{Base: r.to}
	if n == 1 {
		r.of(VADDSD, VADDSS)(at, sum.AsX(), sum.AsX())
		r.of(VMOVSD, VMOVSS)(sum.AsX(), at)
	} else {
		low := narrow(sum, n*r.size)
		r.add()(at, low, low)
		r.mov()(low, at)
	}
	ADDQ(Imm(uint64(n*r.size)), r.to)
}

// folded returns a vector of the sums of n rows from row p on: each sum in as many
// parts as are left of a vector.
func (r rows) folded(p, n int, use func(p, v int, value VecVirtual), next func()) VecVirtual {
	if n == 1 {
		sum := r.row(p, use)
		next()
		return sum
	}
	low, high := r.folded(p, n/2, use, next), r.folded(p+n/2, n/2, use, next)
	r.fold(low, high, n/2)
	return low
}

// row returns the sum of the vectors of a row.
func (r rows) row(p int, use func(p, v int, value VecVirtual)) (sum VecVirtual) {
	for v := range r.vecs {
		x := register(r.bytes)
		r.mov()(Mem{Base: r.x, Disp: v * r.bytes}, x)
		use(p, v, x)
		if r.mask != nil {
			r.and()(x, r.mask, x)
		}
		switch {
		case v == 0:
			if sum = x; r.w != nil {
				r.mul()(r.w[v], x, x)
			}
		case r.w != nil:
			r.fma()(r.w[v], x, sum)
		default:
			r.add()(x, sum, sum)
		}
	}
	return sum
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
