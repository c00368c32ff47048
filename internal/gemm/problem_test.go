package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"matmul/internal/elem"
)

// A trial is one problem in guarded memory, with what it takes to solve it
// through panels.
type trial[T elem.Float] struct {
	m, n, k        int
	transA, transB bool
	alpha, beta    T
	withC0, nanC0  bool // nanC0: hand over a C0 full of NaN under beta = 0
	a, b, c0, c    guarded[T]
	lda, ldb       int
	ldc, ldc0      int
	blocking       Blocking
	tileM, tileN   int // in micro-panels; 0: one tile
	packCut        int
	inPlace        bool // C0 is handed over in C
	checked        bool // by Checked, and not by Multiply
}

func (x *trial[T]) String() string {
	return fmt.Sprintf("m=%d n=%d k=%d transA=%v transB=%v alpha=%v beta=%v lda=%d ldb=%d ldc=%d blocking=%v tile=%dx%d",
		x.m, x.n, x.k, x.transA, x.transB, x.alpha, x.beta, x.lda, x.ldb, x.ldc, x.blocking, x.tileM, x.tileN)
}

func pick[T any](r *rand.Rand, xs ...T) T { return xs[r.IntN(len(xs))] }

func newTrial[T elem.Float](r *rand.Rand, m, n, k int) *trial[T] {
	x := &trial[T]{
		m: m, n: n, k: k, transA: r.IntN(2) == 0, transB: r.IntN(2) == 0,
		alpha: pick[T](r, 1, 1.3, -1), beta: pick[T](r, 0, 0.7, 1, -1),
		ldc: n + r.IntN(9), ldc0: n + r.IntN(9),
		tileM: r.IntN(4), tileN: r.IntN(4), packCut: r.IntN(80),
		blocking: pick(r, Blocking{}, Blocking{8, 4, 24}, Blocking{1, 1, 1}, Blocking{24, 9, 48}, Blocking{48, 64, 96}),
	}
	x.withC0 = x.beta != 0
	x.nanC0 = !x.withC0 && r.IntN(2) == 0
	x.fillOperands(r, flavours[r.IntN(len(flavours))])
	return x
}

func (x *trial[T]) fillOperands(r *rand.Rand, f flavour) {
	x.a, x.lda = newOperand[T](r, f, x.m, x.k, x.transA)
	x.b, x.ldb = newOperand[T](r, f, x.k, x.n, x.transB)
	x.c = newGuarded[T](x.m*x.ldc, r.IntN(9))
	x.c0 = newGuarded[T](x.m*x.ldc0, r.IntN(9))
	if x.withC0 {
		fill(r, f, x.c0.buf)
	}
}

// spreadB stores B anew, with rows ld apart.
func (x *trial[T]) spreadB(r *rand.Rand, ld int) {
	x.ldb = ld
	x.b = newGuarded[T]((x.k-1)*ld+x.n, r.IntN(9))
	for i := range x.k {
		fill(r, flavours[0], x.b.buf[i*ld:][:x.n])
	}
}

// newOperand returns a stored rows×cols matrix, or its transpose, with the
// padding of its leading dimension NaN.
func newOperand[T elem.Float](r *rand.Rand, f flavour, rows, cols int, trans bool) (guarded[T], int) {
	if trans {
		rows, cols = cols, rows
	}
	ld := cols + r.IntN(9)
	g := newGuarded[T](max(0, (rows-1)*ld+cols), r.IntN(9))
	for i := range rows {
		fill(r, f, g.buf[i*ld:][:cols])
	}
	return g, ld
}

func strides(ld int, trans bool) (row, col int) {
	if trans {
		return 1, ld
	}
	return ld, 1
}

// reference returns C by the definition, with row stride n.
func (x *trial[T]) reference() []T {
	ar, ac := strides(x.lda, x.transA)
	br, bc := strides(x.ldb, x.transB)
	want := make([]T, x.m*x.n)
	Reference(Problem[T]{
		M: x.m, N: x.n, K: x.k, Alpha: x.alpha, Beta: x.beta,
		A: Matrix[T]{x.a.buf, ar, ac}, B: Matrix[T]{x.b.buf, br, bc}, C0: Matrix[T]{x.c0.buf, x.ldc0, 1},
		C: want, LDC: x.n,
	})
	return want
}

// panels packs an operand in two pieces of the depth and two of the lanes.
func (x *trial[T]) panels(k *Kernel, data []T, ld int, laneMajor bool, lanes, width int, scale T) (Panels[T], guarded[T]) {
	g := newGuarded[T](PanelLen(lanes, x.k, width), 0)
	p := Panels[T]{g.buf, width, lanes, x.k}
	ls, ds := strides(ld, !laneMajor)
	cut, lcut := min(x.packCut, x.k), min(x.packCut/width*width, lanes)
	for _, q := range [][4]int{{0, lcut, 0, cut}, {lcut, lanes, 0, cut}, {0, lcut, cut, x.k}, {lcut, lanes, cut, x.k}} {
		if q[0] < q[1] && q[2] < q[3] {
			Pack(k, p, q[0], q[1], q[2], q[3], Source[T]{data[q[0]*ls+q[2]*ds:], ls, ds}, scale)
		}
	}
	return p, g
}

// multiplyByAll solves the trial with each kernel.
func (x *trial[T]) multiplyByAll(t testing.TB, ws *Workspace[T]) {
	t.Helper()
	want := x.reference()
	for _, k := range kernels[T](t) {
		x.multiply(t, k, ws, want)
	}
}

// multiply solves the trial with k, tile by tile, from packed operands and
// from those that are packed on the way or not at all, and checks C and all
// guards.
func (x *trial[T]) multiply(t testing.TB, k *Kernel, ws *Workspace[T], want []T) {
	t.Helper()
	a, ga := x.panels(k, x.a.buf, x.lda, !x.transA, x.m, k.MR, x.alpha)
	b, gb := x.panels(k, x.b.buf, x.ldb, x.transB, x.n, k.NR, 1)
	digests, sums := x.digests(k, a), x.sums(k, b)
	for _, form := range []string{"packed", "A stored", "B stored", "stored", "in place", "packed, checked", "stored, checked", "checksums"} {
		oa, ob := Operand[T]{Packed: a}, Operand[T]{Packed: b}
		x.inPlace = form == "in place"
		x.checked = strings.HasSuffix(form, "checked") || form == "checksums"
		if form == "checksums" {
			oa.Digests, ob.Sums = digests, sums
		}
		if form == "A stored" || strings.HasPrefix(form, "stored") || x.inPlace {
			oa = x.stored(x.a.buf, x.lda, !x.transA, x.m, x.alpha)
		}
		if form == "B stored" || strings.HasPrefix(form, "stored") || x.inPlace {
			ob = x.stored(x.b.buf, x.ldb, x.transB, x.n, 1)
		}
		if !x.tiles(k, ws, oa, ob) {
			t.Fatalf("%v %v: %s: C is said to be wrong", k, x, form)
		}
		for name, g := range map[string]guarded[T]{"A": x.a, "B": x.b, "C": x.c, "C0": x.c0, "A panels": ga, "B panels": gb} {
			g.check(t, fmt.Sprintf("%v %v: %s: %s", k, x, form, name))
		}
		x.compare(t, k, form, want)
	}
}

func (x *trial[T]) stored(data []T, ld int, depthContiguous bool, lanes int, scale T) Operand[T] {
	ls, ds := strides(ld, !depthContiguous)
	return Operand[T]{Packed: Panels[T]{Lanes: lanes, Depth: x.k}, Stored: Source[T]{data, ls, ds}, Scale: scale}
}

// digests makes those of A, which it packs again, in pieces: of the same lanes one after
// the other.
func (x *trial[T]) digests(k *Kernel, p Panels[T]) Digests {
	o, ws := Operand[T]{Packed: p, Digests: make(Digests, DigestsLen(x.m, x.k, k.MR))}, new(Workspace[T])
	ls, ds := strides(x.lda, x.transA)
	for _, l := range cutAt(x.packCut/k.MR*k.MR, x.m) {
		for _, p := range cutAt(x.packCut, x.k) {
			PackChecked(k, ws, &o, l[0], l[1], p[0], p[1], Source[T]{x.a.buf[l[0]*ls+p[0]*ds:], ls, ds}, x.alpha)
		}
	}
	return o.Digests
}

// sums makes those of B, which it packs again, in pieces: of the same depths one after
// the other.
func (x *trial[T]) sums(k *Kernel, p Panels[T]) Sums[T] {
	o, ws := Operand[T]{Packed: p, Sums: make(Sums[T], SumsLen(x.n, x.k, k.NR))}, new(Workspace[T])
	ls, ds := strides(x.ldb, !x.transB)
	for _, p := range cutAt(x.packCut, x.k) {
		for _, l := range cutAt(x.packCut/k.NR*k.NR, x.n) {
			PackChecked(k, ws, &o, l[0], l[1], p[0], p[1], Source[T]{x.b.buf[l[0]*ls+p[0]*ds:], ls, ds}, 1)
		}
	}
	return o.Sums
}

// cutAt returns the parts of [0, n) before and after cut that are not empty.
func cutAt(cut, n int) (parts [][2]int) {
	for _, p := range [][2]int{{0, min(cut, n)}, {min(cut, n), n}} {
		if p[0] < p[1] {
			parts = append(parts, p)
		}
	}
	return parts
}

// tiles multiplies all tiles, and reports whether all are right as far as they
// are checked.
func (x *trial[T]) tiles(k *Kernel, ws *Workspace[T], a, b Operand[T]) bool {
	right := true
	if x.inPlace && x.withC0 {
		for i := range x.m {
			copy(x.c.buf[i*x.ldc:][:x.n], x.c0.buf[i*x.ldc0:])
		}
	}
	tm, tn := max(x.m, 1), max(x.n, 1)
	if x.tileM > 0 && x.tileN > 0 {
		tm, tn = x.tileM*k.MR, x.tileN*k.NR
	}
	for i := 0; i < x.m; i += tm {
		for j := 0; j < x.n; j += tn {
			tile := Tile[T]{A: a, B: b, I0: i, I1: min(i+tm, x.m), J0: j, J1: min(j+tn, x.n),
				C: x.c.buf[i*x.ldc+j:], LDC: x.ldc}
			if x.withC0 || x.nanC0 {
				tile.C0, tile.LDC0, tile.Beta = x.c0.buf[i*x.ldc0+j:], x.ldc0, x.beta
			}
			if x.inPlace {
				tile.C0, tile.LDC0 = tile.C, tile.LDC
			}
			if !x.checked {
				Multiply(k, x.blocking, ws, tile)
			} else if !Checked(k, x.blocking, ws, tile) {
				right = false
			}
		}
	}
	return right
}

func (x *trial[T]) compare(t testing.TB, k *Kernel, form string, want []T) {
	t.Helper()
	for i, got := range x.c.buf {
		r, c := i/x.ldc, i%x.ldc
		w := T(math.NaN()) // between the rows of C nothing is written
		if c < x.n {
			w = want[r*x.n+c]
		}
		if !same(got, w) {
			t.Fatalf("%v %v: %s: C[%d,%d] = %x, want %x", k, x, form, r, c, got, w)
		}
	}
	for i := range x.c.buf {
		x.c.buf[i] = T(math.NaN())
	}
}
