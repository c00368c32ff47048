package verify

import (
	"math"
	"math/rand/v2"
	"testing"

	"matmul/internal/gemm"
)

// kinds of float32 values: each makes another step of the fast path go wrong
// if it is not noticed.
var kinds32 = map[string]func(r *rand.Rand) float64{
	"uniform":       func(r *rand.Rand) float64 { return float64(r.Float32()*2 - 1) },
	"small numbers": func(r *rand.Rand) float64 { return float64(r.IntN(9) - 4) },
	"ties": func(r *rand.Rand) float64 {
		return float64(float32((1 + math.Ldexp(float64(r.IntN(3)), -12)) * math.Ldexp(1, r.IntN(3))))
	},
	"one bit":  func(r *rand.Rand) float64 { return math.Ldexp(float64(1-2*r.IntN(2)), r.IntN(40)-20) },
	"tiny":     func(r *rand.Rand) float64 { return float64(float32(math.Ldexp(r.Float64()-0.5, -60-r.IntN(90)))) },
	"huge":     func(r *rand.Rand) float64 { return float64(float32(math.Ldexp(r.Float64()-0.5, 50+r.IntN(77)))) },
	"any bits": func(r *rand.Rand) float64 { return float64(math.Float32frombits(r.Uint32())) },
	"zeros":    func(r *rand.Rand) float64 { return math.Copysign(float64(r.IntN(2)), float64(r.IntN(2))-0.5) },
}

func TestFloat32TilesEqualTheScalarFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	for name, a := range kinds32 {
		for _, b := range kinds32 {
			for range 12 {
				checkTile32(t, name, r, a, b)
			}
		}
	}
}

func checkTile32(t *testing.T, name string, r *rand.Rand, a, b func(*rand.Rand) float64) {
	t.Helper()
	tl := tile{rows: 1 + r.IntN(4), cols: 1 + r.IntN(40), depth: 1 + r.IntN(11)}
	tl.lda, tl.ldb, tl.ldc = tl.depth+1, tl.cols+2, tl.cols+3
	tl.a, tl.b, tl.c = make([]float64, tl.rows*tl.lda), make([]float64, tl.depth*tl.ldb), make([]float64, tl.rows*tl.ldc)
	for i := range tl.a {
		tl.a[i] = a(r)
	}
	for i := range tl.b {
		tl.b[i] = b(r)
	}
	for i := range tl.c {
		tl.c[i] = a(r) * float64(r.IntN(2))
	}
	want := append([]float64(nil), tl.c...)
	for i := range tl.rows {
		for j := range tl.cols {
			for p := range tl.depth {
				c := &want[i*tl.ldc+j]
				*c = float64(gemm.FMA(float32(tl.a[i*tl.lda+p]), float32(tl.b[p*tl.ldb+j]), float32(*c)))
			}
		}
	}
	ma, mc := newMagnitudes(), newMagnitudes()
	ma.see(tl.a)
	mc.see(tl.c)
	reach := reach{minA: ma.least, maxA: ma.most, acc: mc.most}
	tl.multiply32(reach.harmless(&tl))
	for i := range want {
		if compareBits(0, 0, tl.c[i], want[i]).Bad {
			t.Fatalf("%s %dx%dx%d, element %d: %x, want %x", name, tl.rows, tl.cols, tl.depth, i, tl.c[i], want[i])
		}
	}
}

// TestOrdinaryFloat32IsHarmless: else exact would be slow without a failure.
func TestOrdinaryFloat32IsHarmless(t *testing.T) {
	tl := tile{cols: 2, depth: 1, ldb: 2, b: []float64{0x1p-24, 1}}
	for _, c := range []struct {
		name       string
		minA, maxA float64
		acc        float64
		want       bool
	}{
		{"uniform", 0x1p-24, 1, 100, true},
		{"no A at all", math.Inf(1), 0, 100, true},
		{"products below the subnormals", 0x1p-78, 1, 100, false},
		{"near overflow", 1, 0x1p126, 100, false},
		{"NaN", 1, math.Inf(1), 100, false},
		{"large sums", 1, 1, 0x1p126, false},
	} {
		r := reach{minA: c.minA, maxA: c.maxA, acc: c.acc}
		if got := r.harmless(&tl); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestHarmIsNoticedWhenSumsGrow(t *testing.T) {
	tl := tile{cols: 1, depth: 1, ldb: 1, b: []float64{1}}
	r := reach{minA: 0x1p125, maxA: 0x1p125}
	if first := r.harmless(&tl); !first {
		t.Error("one term is too much")
	}
	r.advance()
	if second := r.harmless(&tl); second {
		t.Error("the second term is not noticed")
	}
}

// TestTiesTakeTheExactStep has the design's example, where rounding twice is
// wrong.
func TestTiesTakeTheExactStep(t *testing.T) {
	a, b, c := 1+0x1p-15, (1-0x1p-15)*0x1p-24, 1+0x1p-23
	if between(c+a*b) != true || between(c) || between(0) || between(1) {
		t.Error("ties are not told from other sums")
	}
	for q := range 4 {
		tl := tile{rows: 1, cols: 1, depth: 4, lda: 4, ldb: 1, ldc: 1, a: make([]float64, 4), b: make([]float64, 4), c: []float64{c}}
		tl.a[q], tl.b[q] = a, b
		tl.multiply32(true)
		if got := math.Float32bits(float32(tl.c[0])); got != 0x3f800001 {
			t.Errorf("in step %d: got %x", q, got)
		}
	}
}
