package verify

import "math"

// A tile is a piece of the definition's work: c (rows×cols) += a (rows×depth)
// · b (depth×cols), all row-major float64, by FMA with the depth ascending.
type tile struct {
	rows, cols, depth int
	a, b, c           []float64
	lda, ldb, ldc     int
}

func (t *tile) rowA(i int) []float64 { return t.a[i*t.lda:][:t.depth] }
func (t *tile) rowB(p int) []float64 { return t.b[p*t.ldb:][:t.cols] }
func (t *tile) rowC(i int) []float64 { return t.c[i*t.ldc:][:t.cols] }

// multiply64 multiplies in float64. Two rows of c stay in L1 while b streams
// from L2; four steps of k at a time spare loads and stores of c.
func (t *tile) multiply64() {
	i := 0
	for ; i+2 <= t.rows; i += 2 {
		t.multiplyPair(i)
	}
	if i < t.rows {
		for p, x := range t.rowA(i) {
			axpy64(t.rowC(i), t.rowB(p), x)
		}
	}
}

// multiplyPair multiplies rows i and i+1.
func (t *tile) multiplyPair(i int) {
	c0, c1, a0, a1 := t.rowC(i), t.rowC(i+1), t.rowA(i), t.rowA(i+1)
	p := 0
	for ; p+4 <= t.depth; p += 4 {
		axpy2x4(c0, c1, t.rowB(p), t.rowB(p+1), t.rowB(p+2), t.rowB(p+3), (*[4]float64)(a0[p:]), (*[4]float64)(a1[p:]))
	}
	for ; p < t.depth; p++ {
		axpy64(c0, t.rowB(p), a0[p])
		axpy64(c1, t.rowB(p), a1[p])
	}
}

// axpy64 is c[j] = fma(a, b[j], c[j]).
func axpy64(c, b []float64, a float64) {
	b = b[:len(c)]
	for j, x := range c {
		c[j] = math.FMA(a, b[j], x)
	}
}

// axpy2x4 is axpy64 on two rows, for b0, b1, b2, b3 in this order.
func axpy2x4(c0, c1, b0, b1, b2, b3 []float64, p, q *[4]float64) {
	n := len(c0)
	c1, b0, b1, b2, b3 = c1[:n], b0[:n], b1[:n], b2[:n], b3[:n]
	p0, p1, p2, p3 := p[0], p[1], p[2], p[3]
	q0, q1, q2, q3 := q[0], q[1], q[2], q[3]
	for j := range c0 {
		x, y := c0[j], c1[j]
		v := b0[j]
		x, y = math.FMA(p0, v, x), math.FMA(q0, v, y)
		v = b1[j]
		x, y = math.FMA(p1, v, x), math.FMA(q1, v, y)
		v = b2[j]
		x, y = math.FMA(p2, v, x), math.FMA(q2, v, y)
		v = b3[j]
		x, y = math.FMA(p3, v, x), math.FMA(q3, v, y)
		c0[j], c1[j] = x, y
	}
}
