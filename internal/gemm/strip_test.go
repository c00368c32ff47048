package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"matmul/internal/elem"
)

// Sums of small integers are exact in whatever order they are added.
func TestStripsEqualTheirDefinition(t *testing.T) {
	t.Run("float64", testStrips[float64])
	t.Run("float32", testStrips[float32])
}

func testStrips[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(21, 0))
	for _, k := range kernels[T](t) {
		for _, s := range []*strip[T]{&routinesOf[T](k).stripA, &routinesOf[T](k).stripB} {
			if s.width == 0 {
				continue
			}
			for n := 1; n < 20; n++ {
				testStrip(t, r, k, s, n, s.width+r.IntN(5))
			}
		}
	}
}

func testStrip[T elem.Float](t *testing.T, r *rand.Rand, k *Kernel, s *strip[T], n, step int) {
	t.Helper()
	integers := func(n int) guarded[T] {
		g := newGuarded[T](n, r.IntN(9))
		for i := range g.buf {
			g.buf[i] = T(r.IntN(201) - 100)
		}
		return g
	}
	x, w, wAbs := integers((n-1)*step+s.width), integers(n), integers(n)
	acc, dst := integers(2*s.width), integers(2*n*s.lanes)
	wantAcc, wantDst := append([]T(nil), acc.buf...), append([]T(nil), dst.buf...)
	for p := range n {
		for l := range s.width {
			v := x.buf[p*step+l]
			wantAcc[l] += w.buf[p] * v
			wantAcc[s.width+l] += wAbs.buf[p] * T(math.Abs(float64(v)))
			wantDst[p*2*s.lanes+l%s.lanes] += v
			wantDst[p*2*s.lanes+s.lanes+l%s.lanes] += T(math.Abs(float64(v)))
		}
	}
	s.weigh(n, x.buf, step, w.buf, wAbs.buf, acc.buf)
	s.gather(n, x.buf, step, dst.buf)
	for name, pair := range map[string][2][]T{"weigh": {acc.buf, wantAcc}, "gather": {dst.buf, wantDst}} {
		for i, got := range pair[0] {
			if got != pair[1][i] {
				t.Fatalf("%v: %s of %d rows of %d: sum %d is %v, want %v", k, name, n, s.width, i, got, pair[1][i])
			}
		}
	}
	acc.check(t, "weigh")
	dst.check(t, "gather")
}
