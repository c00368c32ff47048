package gemm

import "math"

// tinySteps is the number of multiply-adds up to which plain loops are done
// before the macro-kernel would have set up its blocks.
const tinySteps = 64

// isTiny reports whether a tile is one for plain loops: it has at most tinySteps
// multiply-adds, and its operands lie where they are stored.
func (t *Tile[T]) isTiny() bool {
	m, n, k := t.I1-t.I0, t.J1-t.J0, t.A.Packed.Depth
	return t.A.Packed.Data == nil && t.B.Packed.Data == nil && max(m, n, k) <= tinySteps && m*n*k <= tinySteps
}

// byLoops computes a tile by the definition.
func (t *Tile[T]) byLoops() {
	t.start()
	switch t := any(t).(type) {
	case *Tile[float64]:
		loops64(t)
	case *Tile[float32]:
		loops32(t)
	}
}

func loops64(t *Tile[float64]) {
	a, b := &t.A.Stored, &t.B.Stored
	for i := range t.I1 - t.I0 {
		c := t.C[i*t.LDC:][:t.J1-t.J0]
		for p := range t.A.Packed.Depth {
			x := t.A.Scale * a.Data[(t.I0+i)*a.LaneStride+p*a.DepthStride]
			from := b.from(t.J0, p)
			for j := range c {
				c[j] = math.FMA(x, t.B.Scale*from[j*b.LaneStride], c[j])
			}
		}
	}
}

// loops32 differs in the arithmetic only.
func loops32(t *Tile[float32]) {
	a, b := &t.A.Stored, &t.B.Stored
	for i := range t.I1 - t.I0 {
		c := t.C[i*t.LDC:][:t.J1-t.J0]
		for p := range t.A.Packed.Depth {
			x := t.A.Scale * a.Data[(t.I0+i)*a.LaneStride+p*a.DepthStride]
			from := b.from(t.J0, p)
			for j := range c {
				c[j] = fma32(x, t.B.Scale*from[j*b.LaneStride], c[j])
			}
		}
	}
}
