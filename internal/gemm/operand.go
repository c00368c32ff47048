package gemm

import "matmul/internal/elem"

// An Operand is op(A) or op(B) as Multiply reads it: packed in panels, or, if
// Packed.Data is nil, where it is stored. Lanes and Depth of Packed are its
// shape in both cases.
type Operand[T elem.Float] struct {
	Packed Panels[T]
	Stored Source[T] // lane 0, depth 0 comes first
	Scale  T         // of what is stored: 1, or α for A
	// For [Checked], the checksums of Packed; nil if there are none.
	Digests Digests // of A
	Sums    Sums[T] // of B
}

// check panics unless the operand is as long as its shape says.
func (o *Operand[T]) check(width int) {
	if o.Packed.Data != nil {
		o.Packed.check(width)
		o.checkSums()
		return
	}
	s, n, d := &o.Stored, o.Packed.Lanes, o.Packed.Depth
	if n == 0 || d == 0 {
		return
	}
	if s.LaneStride != 1 && s.DepthStride != 1 || s.LaneStride < 1 || s.DepthStride < 1 {
		panic("gemm: operand is contiguous in neither direction")
	}
	if len(s.Data) < (n-1)*s.LaneStride+(d-1)*s.DepthStride+1 {
		panic("gemm: operand is shorter than its shape")
	}
}

// checkSums panics if checksums are fewer than their panels have.
func (o *Operand[T]) checkSums() {
	x := &o.Packed
	if o.Digests != nil && len(o.Digests) < DigestsLen(x.Lanes, x.Depth, x.Width) ||
		o.Sums != nil && len(o.Sums) < SumsLen(x.Lanes, x.Depth, x.Width) {
		panic("gemm: checksums are fewer than their panels have")
	}
}

// A feed hands an operand's micro-panels to the micro-kernel. Those of an
// operand that is not packed are read where they are stored up to lane from,
// and packed into block from there on, kc depths at a time.
type feed[T elem.Float] struct {
	*Operand[T]
	k     *Kernel
	width int
	from  int
	block []T
}

// at returns where the micro-panel of lane l begins at depth pc of a k-block
// of kc, and the distances there from one lane to the next, from one depth to
// the next, and to the next micro-panel.
func (f *feed[T]) at(l, pc, kc int) (data []T, lane, depth, panel int) {
	switch {
	case f.Packed.Data != nil:
		return f.Packed.panel(l, pc), 1, f.width, f.width * f.Packed.Depth
	case l < f.from:
		return f.Stored.from(l, pc), f.Stored.LaneStride, f.Stored.DepthStride, f.width * f.Stored.LaneStride
	}
	return f.block[(l-f.from)*kc:], 1, f.width, f.width * kc
}

// pack packs lanes l0 to l1 at depths pc to pc+kc into block: those of them
// that belong there.
func (f *feed[T]) pack(l0, l1, pc, kc int) {
	l0 = max(l0, f.from)
	if f.Packed.Data != nil || l0 >= l1 {
		return
	}
	dst := Panels[T]{f.block, f.width, l1 - f.from, kc}
	src := Source[T]{f.Stored.from(l0, pc), f.Stored.LaneStride, f.Stored.DepthStride}
	Pack(f.k, dst, l0-f.from, l1-f.from, 0, kc, src, f.Scale)
}

// readable reports whether the operand can be read where it is stored.
func (f *feed[T]) readable(contiguous int) bool {
	return f.Packed.Data == nil && f.Scale == 1 && contiguous == 1
}
