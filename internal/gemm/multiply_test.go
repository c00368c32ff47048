package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"matmul/internal/elem"
)

func TestMultiplyEqualsTheDefinitionOnRandomShapes(t *testing.T) {
	t.Run("float64", testRandomShapes[float64])
	t.Run("float32", testRandomShapes[float32])
}

func testRandomShapes[T elem.Float](t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, uint64(elem.Of[T]())))
	ws := new(Workspace[T])
	for range samples() {
		x := newTrial[T](r, r.IntN(71), r.IntN(71), r.IntN(71))
		x.multiplyByAll(t, ws)
	}
}

func TestMultiplyEqualsTheDefinitionOnPrimes(t *testing.T) {
	t.Run("float64", testPrimes[float64])
	t.Run("float32", testPrimes[float32])
}

func testPrimes[T elem.Float](t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 0))
	ws := new(Workspace[T])
	sizes := primes()
	n := len(sizes)
	for i := range sizes {
		for range 3 {
			x := newTrial[T](r, sizes[r.IntN(i+1)], sizes[r.IntN(n)], sizes[n-1-r.IntN(i+1)])
			x.blocking = Blocking{}
			x.multiplyByAll(t, ws)
		}
	}
}

// Rows of B that lie far apart are packed by the first rows of C that use them, in
// blocks of another shape where the tile is low.
func TestMultiplyEqualsTheDefinitionWhereBIsPackedOnTheWay(t *testing.T) {
	t.Run("float64", testPackedOnTheWay[float64])
	t.Run("float32", testPackedOnTheWay[float32])
}

func testPackedOnTheWay[T elem.Float](t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 0))
	ws := new(Workspace[T])
	far, page := nearBytes/300/elem.Of[T]().Size()+9, pageSize/elem.Of[T]().Size()
	for _, more := range []int{0, lowPanels, halfPanels} {
		for _, b := range []struct{ ld, nc, tileM int }{{far, 24, 0}, {page, 0, 0}, {page, 24, 2}} {
			x := newTrial[T](r, more*8+33+r.IntN(9), 49+r.IntN(60), 301+r.IntN(50))
			x.transB, x.blocking, x.tileM, x.tileN = false, Blocking{NC: b.nc}, b.tileM, 2
			x.fillOperands(r, flavours[0])
			x.spreadB(r, b.ld)
			x.multiplyByAll(t, ws)
		}
	}
}

// Where there are few columns, rows of A are read in longer pieces, of several k-blocks
// all the same.
func TestMultiplyEqualsTheDefinitionOfFewColumns(t *testing.T) {
	t.Run("float64", testFewColumns[float64])
	t.Run("float32", testFewColumns[float32])
}

func testFewColumns[T elem.Float](t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 0))
	ws := new(Workspace[T])
	for _, k := range kernels[T](t) {
		for _, transB := range []bool{false, true} {
			x := newTrial[T](r, 2*k.MR+r.IntN(9), k.NR/2+r.IntN(k.NR), 2*shallow*k.KC+r.IntN(99))
			x.transA, x.transB, x.alpha, x.blocking, x.tileM = false, transB, 1, Blocking{}, 0
			x.fillOperands(r, flavours[0])
			x.multiply(t, k, ws, x.reference())
		}
	}
}

// One call of a micro-kernel takes many micro-panels of A, with whole blocks or a narrower
// last one, of one k-block or several, in a workspace that is no larger than it needs.
func TestMultiplyEqualsTheDefinitionWithManyRowsInOneCall(t *testing.T) {
	t.Run("float64", testManyRows[float64])
	t.Run("float32", testManyRows[float32])
}

func testManyRows[T elem.Float](t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(10, 0))
	for _, k := range kernels[T](t) {
		wide := fewPanels * k.NR // from here on A is packed on the way
		for cols := k.NR; cols <= wide+2*k.NR; cols += k.NR / 2 {
			if cols > 6*k.NR && cols < wide {
				continue
			}
			for _, kc := range []int{0, 20} {
				x := newTrial[T](r, 9*k.MR+r.IntN(2*k.MR), cols, 40+r.IntN(9))
				x.tileM, x.tileN, x.transA, x.transB, x.alpha, x.beta, x.withC0 = 0, 0, false, false, 1, 0, false
				if cols > wide {
					x.transA, x.transB = r.IntN(2) == 0, r.IntN(2) == 0
				}
				x.blocking = Blocking{KC: kc, NC: (1 + r.IntN(4)) * k.NR}
				x.fillOperands(r, flavours[0])
				x.multiply(t, k, new(Workspace[T]), x.reference())
			}
		}
	}
}

func TestMultiplyGivesTheSameBitsForEveryBlocking(t *testing.T) {
	t.Run("float64", testBlockings[float64])
	t.Run("float32", testBlockings[float32])
}

func testBlockings[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(7, 0))
	ws := new(Workspace[T])
	x := newTrial[T](r, 61, 101, 175)
	want := x.reference()
	for _, k := range kernels[T](t) {
		for _, mc := range []int{1, 16, 1000} {
			for _, kc := range []int{1, 5, 8, 38, 100, 1 << 40} {
				for _, nc := range []int{1, 50, 1000} {
					x.blocking = Blocking{mc, kc, nc}
					x.multiply(t, k, ws, want)
				}
			}
		}
	}
}

// A kernel treats the first and the last step, and what is left over from
// unrolling, in code of their own: every short depth takes another way.
func TestMultiplyEqualsTheDefinitionAtEveryDepth(t *testing.T) {
	t.Run("float64", testDepths[float64])
	t.Run("float32", testDepths[float32])
}

func testDepths[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(8, 0))
	ws := new(Workspace[T])
	for depth := range 130 {
		x := newTrial[T](r, 13, 53, depth)
		x.blocking = Blocking{}
		x.multiplyByAll(t, ws)
	}
}

// How a row of blocks ends depends on its width, on what is packed, and on
// whether sums begin with C0.
func TestMultiplyEqualsTheDefinitionAtEveryWidth(t *testing.T) {
	t.Run("float64", testWidths[float64])
	t.Run("float32", testWidths[float32])
}

func testWidths[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(12, 0))
	ws := new(Workspace[T])
	for n := range 200 {
		for _, transA := range []bool{false, true} {
			x := newTrial[T](r, 13, n, 9)
			x.transA, x.transB, x.alpha, x.blocking, x.tileM, x.tileN = transA, false, 1, Blocking{KC: 4}, 0, 0
			if x.beta, x.withC0 = T(n%2)/2, n%4 > 1; x.withC0 {
				x.beta = 0.7
			}
			x.nanC0 = !x.withC0
			x.fillOperands(r, flavours[0])
			x.multiplyByAll(t, ws)
		}
	}
}

func TestMultiplyEqualsTheDefinitionOnTinyShapes(t *testing.T) {
	t.Run("float64", testTiny[float64])
	t.Run("float32", testTiny[float32])
}

func testTiny[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(13, 0))
	ws := new(Workspace[T])
	for m := range 6 {
		for n := range 6 {
			for depth := range 6 {
				x := newTrial[T](r, m, n, depth)
				x.multiplyByAll(t, ws)
			}
		}
	}
}

func TestMultiplyNeverReadsC0UnderNilAndKeepsNaN(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 0))
	ws := new(Workspace[float64])
	for _, k := range kernels[float64](t) {
		x := newTrial[float64](r, 30, 50, 20)
		x.beta, x.withC0, x.alpha = 0, false, 1
		x.fillOperands(r, flavours[0]) // leaves C0 and C full of NaN
		x.multiply(t, k, ws, x.reference())
		x.a.buf[0] = math.NaN()
		x.b.buf[1] = math.Inf(1)
		x.multiply(t, k, ws, x.reference())
	}
}

func TestMultiplyPanicsOnOperandsThatDoNotFit(t *testing.T) {
	k := kernels[float64](t)[0]
	p := func(lanes, depth, width int) Panels[float64] {
		return Panels[float64]{make([]float64, PanelLen(lanes, depth, width)), width, lanes, depth}
	}
	good := func() Tile[float64] {
		return Tile[float64]{A: Operand[float64]{Packed: p(10, 7, k.MR)}, B: Operand[float64]{Packed: p(9, 7, k.NR)}, I1: 10, J1: 9, C: make([]float64, 9*12+9), LDC: 12}
	}
	for name, spoil := range map[string]func(*Tile[float64]){
		"short C":         func(x *Tile[float64]) { x.C = x.C[1:] },
		"narrow LDC":      func(x *Tile[float64]) { x.LDC = 8 },
		"short C0":        func(x *Tile[float64]) { x.C0, x.LDC0, x.Beta = x.C[1:], 12, 1 },
		"short panels":    func(x *Tile[float64]) { x.A.Packed.Data = x.A.Packed.Data[1:] },
		"other width":     func(x *Tile[float64]) { x.B.Packed.Width++ },
		"depths differ":   func(x *Tile[float64]) { x.B.Packed.Depth-- },
		"rows beyond A":   func(x *Tile[float64]) { x.I1 = 11 },
		"inside a panel":  func(x *Tile[float64]) { x.I0 = 1 },
		"negative extent": func(x *Tile[float64]) { x.I0, x.I1 = 8, 4 },
	} {
		t.Run(name, func(t *testing.T) {
			x := good()
			Multiply(k, Blocking{}, new(Workspace[float64]), x)
			spoil(&x)
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			Multiply(k, Blocking{}, new(Workspace[float64]), x)
		})
	}
}
