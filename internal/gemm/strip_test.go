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
		s := routinesOf[T](k).strips
		for i := range s {
			for n := 1; n < 20; n++ {
				testStrip(t, r, k, &s[i], n, s[i].width+max(r.IntN(10)-5, 0))
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
	x, w := integers((n-1)*step+s.width), integers(max(n, s.width))
	down, across := integers(s.width), integers(n)
	wantDown, wantAcross := slices.Clone(down.buf), slices.Clone(across.buf)
	for _, o := range []of{values, magnitudes} {
		s.weigh(n, x.buf, step, w.buf, down.buf, o.bits(elem.Of[T]()))
		s.across(n, x.buf, step, w.buf, across.buf, o.bits(elem.Of[T]()))
		for p := range n {
			for l := range s.width {
				v := part(x.buf[p*step+l], o)
				wantDown[l] += w.buf[p] * v
				wantAcross[p] += w.buf[l] * v
			}
		}
		if !slices.Equal(down.buf, wantDown) || !slices.Equal(across.buf, wantAcross) {
			t.Fatalf("%v: %d rows of %d: %v and %v, want %v and %v", k, n, s.width, down.buf, across.buf, wantDown, wantAcross)
		}
		down.check(t, "weigh")
		across.check(t, "across")
	}
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
			x, sum := newGuarded[T](n*SumDepths, r.IntN(9)), newGuarded[T](SumDepths, r.IntN(9))
			for i := range x.buf {
				x.buf[i] = T(r.IntN(201) - 100)
			}
			clear(sum.buf)
			want := make([]T, SumDepths)
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
