package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"matmul/internal/elem"
)

func TestPackEqualsAPlainLoop(t *testing.T) {
	t.Run("float64", testPack[float64])
	t.Run("float32", testPack[float32])
}

func testPack[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(10, 0))
	for _, k := range kernels[T](t) {
		for _, width := range []int{k.MR, k.NR} {
			for range samples() / 5 {
				x := packTrial[T]{lanes: r.IntN(3*width + 1), depth: r.IntN(2 * packDepth), width: width, laneMajor: r.IntN(2) == 0}
				x.scale = pick[T](r, 1, 1.3, 0, -1)
				x.run(t, r, k)
			}
		}
	}
}

type packTrial[T elem.Float] struct {
	lanes, depth, width int
	laneMajor           bool
	scale               T
}

func (x packTrial[T]) run(t *testing.T, r *rand.Rand, k *Kernel) {
	src, ld := newOperand[T](r, flavours[r.IntN(len(flavours))], x.lanes, x.depth, !x.laneMajor)
	ls, ds := strides(ld, !x.laneMajor)
	g := newGuarded[T](PanelLen(x.lanes, x.depth, x.width), 0)
	dst := Panels[T]{g.buf, x.width, x.lanes, x.depth}
	l0 := r.IntN(x.lanes/x.width+1) * x.width
	l1 := min(x.lanes, l0+r.IntN(3)*x.width)
	p0 := r.IntN(x.depth + 1)
	p1 := p0 + r.IntN(x.depth-p0+1)
	if l0 < l1 && p0 < p1 {
		Pack(k, dst, l0, l1, p0, p1, Source[T]{src.buf[l0*ls+p0*ds:], ls, ds}, x.scale)
	}
	name := fmt.Sprintf("%v %+v [%d,%d)x[%d,%d)", k, x, l0, l1, p0, p1)
	g.check(t, name)
	for i, got := range g.buf {
		l, p := i/(x.width*x.depth)*x.width+i%x.width, i/x.width%x.depth
		want := T(math.NaN()) // outside the range nothing is written
		if l >= l0 && p >= p0 && p < p1 {
			switch {
			case l < l1:
				want = T(x.scale * src.buf[l*ls+p*ds])
			case l1 == x.lanes && l0 < l1 && l < (l1+x.width-1)/x.width*x.width:
				want = 0
			}
		}
		if !same(got, want) {
			t.Fatalf("%s: lane %d depth %d is %v, want %v", name, l, p, got, want)
		}
	}
}

func TestPanelLenRoundsUpAndRefusesOverflow(t *testing.T) {
	for _, c := range [][4]int{{0, 5, 8, 0}, {1, 5, 8, 40}, {8, 5, 8, 40}, {9, 5, 8, 80}, {9, 0, 8, 0}} {
		if got := PanelLen(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("PanelLen(%d, %d, %d) = %d, want %d", c[0], c[1], c[2], got, c[3])
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	PanelLen(math.MaxInt, math.MaxInt, 8)
}
