package gemm

import (
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
		for _, s := range []strips[T]{routinesOf[T](k).stripsA, routinesOf[T](k).stripsB} {
			for i := range s {
				for n := 1; n < 20; n++ {
					testStrip(t, r, k, &s[i], n, s[i].width+max(r.IntN(10)-5, 0))
				}
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
	got := [4]guarded[T]{integers(s.width), integers(s.width), integers(n), integers(n)}
	want := [4][]T{}
	for i, g := range got {
		want[i] = slices.Clone(g.buf)
	}
	add := func() {
		for p := range n {
			for l := range s.width {
				v := x.buf[p*step+l]
				want[0][l] += w.buf[p] * v
				want[1][l] += wAbs.buf[p] * magnitude(v)
				want[2][p] += v
				want[3][p] += magnitude(v)
			}
		}
	}
	s.weigh(n, x.buf, step, w.buf, wAbs.buf, got[0].buf, got[1].buf)
	s.across(n, x.buf, step, got[2].buf, got[3].buf)
	add()
	compare := func(what string) {
		t.Helper()
		for i, name := range []string{"down", "magnitudes down", "across", "magnitudes across"} {
			if !slices.Equal(got[i].buf, want[i]) {
				t.Fatalf("%v: %s: %d rows of %d, %s: %v, want %v", k, what, n, s.width, name, got[i].buf, want[i])
			}
			got[i].check(t, what)
		}
	}
	compare("weigh and across")
	s.both(n, x.buf, step, w.buf, wAbs.buf, got[0].buf, got[1].buf, got[2].buf, got[3].buf)
	add()
	compare("both")
}

func TestChecksumsAreAddedUp(t *testing.T) {
	t.Run("float64", testChecksums[float64])
	t.Run("float32", testChecksums[float32])
}

func testChecksums[T elem.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(22, 0))
	for _, k := range kernels[T](t) {
		add := routinesOf[T](k).checksums
		for n := 1; n < 20 && add != nil; n++ {
			x, sum := newGuarded[T](n*2*sumDepths, r.IntN(9)), newGuarded[T](2*sumDepths, r.IntN(9))
			for i := range x.buf {
				x.buf[i] = T(r.IntN(201) - 100)
			}
			clear(sum.buf)
			want := make([]T, 2*sumDepths)
			for i, v := range x.buf {
				want[i%len(want)] += v
			}
			if add(n, x.buf, sum.buf); !slices.Equal(sum.buf, want) {
				t.Fatalf("%v: %d rows: %v, want %v", k, n, sum.buf, want)
			}
			sum.check(t, k.String())
		}
	}
}
