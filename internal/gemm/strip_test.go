package gemm

import (
	"math"
	"math/rand/v2"
	"slices"
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
		for _, s := range []*strips[T]{&routinesOf[T](k).stripsA, &routinesOf[T](k).stripsB} {
			testFold(t, r, k, s)
			for i := range s.of {
				for n := 1; n < 20; n++ {
					testStrip(t, r, k, s.lanes, &s.of[i], n, s.of[i].width+r.IntN(5))
				}
			}
		}
	}
}

func testStrip[T elem.Float](t *testing.T, r *rand.Rand, k *Kernel, lanes int, s *strip[T], n, step int) {
	t.Helper()
	integers := func(n int) guarded[T] {
		g := newGuarded[T](n, r.IntN(9))
		for i := range g.buf {
			g.buf[i] = T(r.IntN(201) - 100)
		}
		return g
	}
	x, w, wAbs := integers((n-1)*step+s.width), integers(n), integers(n)
	value, size, dst := integers(s.width), integers(s.width), integers(2*n*lanes)
	wantValue, wantSize, wantDst := slices.Clone(value.buf), slices.Clone(size.buf), slices.Clone(dst.buf)
	for p := range n {
		for l := range s.width {
			v := x.buf[p*step+l]
			wantValue[l] += w.buf[p] * v
			wantSize[l] += wAbs.buf[p] * T(math.Abs(float64(v)))
			wantDst[p*2*lanes+l%lanes] += v
			wantDst[p*2*lanes+lanes+l%lanes] += T(math.Abs(float64(v)))
		}
	}
	s.weigh(n, x.buf, step, w.buf, wAbs.buf, value.buf, size.buf)
	s.gather(n, x.buf, step, dst.buf)
	for name, pair := range map[string][2][]T{"weigh": {value.buf, wantValue}, "weigh's magnitudes": {size.buf, wantSize}, "gather": {dst.buf, wantDst}} {
		for i, got := range pair[0] {
			if got != pair[1][i] {
				t.Fatalf("%v: %s of %d rows of %d: sum %d is %v, want %v", k, name, n, s.width, i, got, pair[1][i])
			}
		}
	}
	value.check(t, "weigh")
	size.check(t, "weigh")
	dst.check(t, "gather")
}

func testFold[T elem.Float](t *testing.T, r *rand.Rand, k *Kernel, s *strips[T]) {
	t.Helper()
	for n := foldRows; n < 5*foldRows && s.lanes > 0; n += foldRows {
		parts := make([]T, 2*n*s.lanes)
		for i := range parts {
			parts[i] = T(r.IntN(201) - 100)
		}
		value, size := newGuarded[T](n, 1), newGuarded[T](n, 2)
		s.fold(n, parts, value.buf, size.buf)
		for p := range n {
			var want [2]T
			for l, v := range parts[2*p*s.lanes:][:2*s.lanes] {
				want[l/s.lanes] += v
			}
			if value.buf[p] != want[0] || size.buf[p] != want[1] {
				t.Fatalf("%v: row %d of %d: %v and %v, want %v", k, p, n, value.buf[p], size.buf[p], want)
			}
		}
		value.check(t, "fold")
		size.check(t, "fold")
	}
}
