package elem

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestFirstNaN(t *testing.T) {
	testFirstNaN[float64](t)
	testFirstNaN[float32](t)
}

func testFirstNaN[T Float](t *testing.T) {
	inf := T(math.Inf(1))
	nan := T(math.Float64frombits(0xfff8<<48 | 1<<40))
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		c := make([]T, r.IntN(5*nanBlock))
		for i := range c {
			c[i] = []T{1, -2, inf, -inf, T(math.MaxFloat32)}[r.IntN(5)]
		}
		want := len(c)
		for range r.IntN(4) {
			if len(c) > 0 {
				i := r.IntN(len(c))
				c[i], want = nan, min(want, i)
			}
		}
		if got := FirstNaN(c); got != want {
			t.Fatalf("FirstNaN(%v) = %d, want %d", c, got, want)
		}
		before := append([]T(nil), c...)
		Canonical(c)
		for i, x := range c {
			switch {
			case before[i] == before[i] && x != before[i]:
				t.Fatalf("Canonical changed %v, element %d of %v, to %v", before[i], i, before, x)
			case before[i] != before[i] && math.Float64bits(float64(x)) != 0x7ff8<<48:
				t.Fatalf("Canonical made %x of a NaN, element %d of %v", math.Float64bits(float64(x)), i, before)
			}
		}
	}
}
