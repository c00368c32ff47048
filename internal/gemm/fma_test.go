package gemm

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestFMA32RoundsOnceWhereFloat64WouldRoundTwice(t *testing.T) {
	a := float32(1 + math.Ldexp(1, -15))
	b := float32((1 - math.Ldexp(1, -15)) * math.Ldexp(1, -24))
	c := float32(1 + math.Ldexp(1, -23))
	if got := math.Float32bits(FMA(a, b, c)); got != 0x3f800001 {
		t.Errorf("got %08x, want 3f800001", got)
	}
	if got := math.Float32bits(float32(math.FMA(float64(a), float64(b), float64(c)))); got != 0x3f800002 {
		t.Errorf("rounding twice gives %08x: the case tests nothing", got)
	}
}

func exactly(a, b, c float64) *big.Float {
	wide := func(x float64) *big.Float { return new(big.Float).SetPrec(5000).SetFloat64(x) }
	p := new(big.Float).SetPrec(5000).Mul(wide(a), wide(b))
	return p.Add(p, wide(c))
}

// near returns a number whose bits below the leading ones are few, so that
// halfway cases and their neighbours are common.
func near(r *rand.Rand, exp int) float64 {
	x := 1 + math.Ldexp(float64(r.IntN(5)-2), -r.IntN(53))
	if r.IntN(2) == 0 {
		x = -x
	}
	return math.Ldexp(x, exp)
}

func TestFMA32EqualsExactArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		e := r.IntN(270) - 140
		a, b := float32(near(r, e/2)), float32(near(r, e-e/2))
		c := float32(near(r, e+r.IntN(60)-30))
		if math.IsInf(float64(a), 0) || math.IsInf(float64(b), 0) || math.IsInf(float64(c), 0) {
			continue
		}
		want, _ := exactly(float64(a), float64(b), float64(c)).Float32()
		if got := FMA(a, b, c); got != want {
			t.Fatalf("FMA(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
	}
}

func TestFMA64EqualsExactArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		e := r.IntN(2090) - 1070
		a, b := near(r, e/2), near(r, e-e/2)
		c := near(r, max(-1074, min(1023, e+r.IntN(120)-60)))
		if math.IsInf(c, 0) {
			continue
		}
		want, _ := exactly(a, b, c).Float64()
		if got := FMA(a, b, c); got != want {
			t.Fatalf("FMA(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
	}
}

func TestFMA32KeepsSignsOfZeroSubnormalsAndInfinities(t *testing.T) {
	nz, inf, nan := float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.NaN())
	tiny := math.Float32frombits(1)
	for _, c := range []struct{ a, b, c, want float32 }{
		{nz, 1, nz, nz}, {nz, 1, 0, 0}, {1, 1, -1, 0},
		{tiny, 1, 0, tiny}, {tiny, 0.5, 0, 0}, {tiny, 0.5, tiny, 2 * tiny}, {-tiny, 0.5, nz, nz},
		{tiny, 0.75, 0, tiny}, {3e38, 2, -3e38, 3e38}, {3e38, 2, 0, inf}, {-3e38, 2, inf, inf},
		{inf, 0, 1, nan}, {inf, 1, -inf, nan}, {nan, 1, 1, nan}, {1, 1, nan, nan},
	} {
		if got := FMA(c.a, c.b, c.c); !same(got, c.want) {
			t.Errorf("FMA(%v, %v, %v) = %v, want %v", c.a, c.b, c.c, got, c.want)
		}
	}
}
