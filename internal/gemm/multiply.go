package gemm

import "matmul/internal/elem"

// Tile is one MULTIPLY task: C[I0:I1, J0:J1] over the full depth of the
// panels. I0 is a multiple of MR and J0 of NR; I1 and J1 may be any.
type Tile[T elem.Float] struct {
	A, B           Operand[T] // of the same Depth
	I0, I1, J0, J1 int
	C              []T // row-major; C[0] is the element (I0, J0)
	LDC            int
	C0             []T // likewise; not read, and may be nil, under Beta = 0
	LDC0           int
	Beta           T
	Step           func() // called now and then, at least once for each k-block, and before sums of C are taken; may be nil
}

// Multiply computes a tile of C: round(Beta·C0), or zero if Beta is 0 or C0 is
// nil, and then one fused multiply-add per depth in ascending order. It writes
// C[I0:I1, J0:J1] and nothing else, and reads nothing of C. C may be C0 itself,
// at the same place with the same distance of rows; otherwise they must not
// overlap. A zero size in b stands for the kernel's own.
func Multiply[T elem.Float](k *Kernel, b Blocking, ws *Workspace[T], t Tile[T]) {
	multiply(k, b, ws, t, nil)
}

// multiply is Multiply, and tells c, unless it is nil, of what C is made.
func multiply[T elem.Float](k *Kernel, b Blocking, ws *Workspace[T], t Tile[T], c *checker[T]) {
	if t.Beta == 0 {
		t.C0 = nil
	}
	checkTile(k, &t)
	m, n := t.I1-t.I0, t.J1-t.J0
	if m == 0 || n == 0 {
		return
	}
	if c != nil && (t.A.Packed.Depth == 0 || t.isTiny()) {
		c.unsure = true // it is less work to do it twice
	}
	if t.A.Packed.Depth == 0 {
		t.start()
		return
	}
	if t.isTiny() {
		t.byLoops()
		return
	}
	x := newMacro(k, b, ws, &t, c)
	for ic := 0; ic < m; ic += x.mc {
		x.rows(ic, min(ic+x.mc, m), n)
	}
	x.Tile = Tile[T]{} // holds the caller's memory no longer
}

func checkTile[T elem.Float](k *Kernel, t *Tile[T]) {
	t.A.check(k.MR)
	t.B.check(k.NR)
	switch {
	case t.A.Packed.Depth != t.B.Packed.Depth:
		panic("gemm: A and B differ in depth")
	case t.I0 < 0 || t.I0 > t.I1 || t.I1 > t.A.Packed.Lanes || t.J0 < 0 || t.J0 > t.J1 || t.J1 > t.B.Packed.Lanes:
		panic("gemm: tile lies outside C")
	case t.I0%k.MR != 0 || t.J0%k.NR != 0:
		panic("gemm: tile starts inside a micro-panel")
	}
	checkRows(t.C, t.LDC, t.I1-t.I0, t.J1-t.J0)
	if t.C0 != nil {
		checkRows(t.C0, t.LDC0, t.I1-t.I0, t.J1-t.J0)
	}
}

// checkRows panics unless c holds m rows of n elements, ld apart.
func checkRows[T elem.Float](c []T, ld, m, n int) {
	if m > 0 && n > 0 && (ld < n || len(c) < n || (len(c)-n)/ld < m-1) {
		panic("gemm: matrix is smaller than its tile")
	}
}

// start writes the value that the sums begin with to all of the tile.
func (t *Tile[T]) start() {
	n := t.J1 - t.J0
	for i := range t.I1 - t.I0 {
		t.startRow(t.C[i*t.LDC:][:n], i, 0)
	}
}

// startRow writes the beginnings of the sums of C[i, j:j+len(dst)].
func (t *Tile[T]) startRow(dst []T, i, j int) {
	if t.C0 == nil {
		clear(dst)
		return
	}
	src := t.C0[i*t.LDC0+j:][:len(dst)]
	if t.Beta == 1 {
		copy(dst, src)
		return
	}
	for q, c := range src {
		dst[q] = T(t.Beta * c)
	}
}
