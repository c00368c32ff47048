package gen

import (
	"math"
	"math/bits"
	"testing"
)

func TestUniformCoversItsRangeExactly(t *testing.T) {
	for _, c := range []struct {
		w      uint64
		f8, f4 float64
	}{
		{0, -1, -1}, {1 << 63, 0, 0}, {math.MaxUint64, 1 - 0x1p-52, 1 - 0x1p-23},
		{1 << 11, -1 + 0x1p-52, -1}, {1 << 40, -1 + 0x1p-23, -1 + 0x1p-23}, {3 << 62, 0.5, 0.5},
	} {
		if f8, f4 := uniform64(c.w), uniform32(c.w); f8 != c.f8 || float64(f4) != c.f4 {
			t.Errorf("%x: got %v and %v, want %v and %v", c.w, f8, f4, c.f8, c.f4)
		}
	}
}

// moments returns the mean and the second, third and fourth moments about 0.
func moments(x []float64) (m [4]float64) {
	for _, v := range x {
		p := v
		for i := range m {
			m[i] += p / float64(len(x))
			p *= v
		}
	}
	return m
}

func TestMomentsAreThoseOfTheDistribution(t *testing.T) {
	const n = 1 << 20
	for _, c := range []struct {
		kind  Kind
		want  [4]float64
		sigma [4]float64 // of one element's power: the bound is 5σ/√n
	}{
		{Uniform, [4]float64{0, 1. / 3, 0, 1. / 5}, [4]float64{0.58, 0.30, 0.38, 0.27}},
		{Normal, [4]float64{0, 1, 0, 3}, [4]float64{1, 1.42, 3.88, 9.8}},
		{Integer, [4]float64{-0.5, 21.5, -32, 840.5}, [4]float64{4.7, 20, 230, 1100}},
	} {
		for seed := range uint64(3) {
			x := make([]float64, n)
			fill(x, Spec{c.kind, seed}, 0, 1)
			for i, m := range moments(x) {
				if bound := 5 * c.sigma[i] / math.Sqrt(n); !(math.Abs(m-c.want[i]) <= bound) {
					t.Errorf("%s, seed %d: moment %d is %v, want %v ± %v", c.kind, seed, i+1, m, c.want[i], bound)
				}
			}
		}
	}
}

func TestIntegersAreEquallyFrequent(t *testing.T) {
	const n = 1 << 20
	x := make([]float64, n)
	fill(x, Spec{Integer, 5}, 0, 1)
	var count [16]int
	for _, v := range x {
		count[int(v)+8]++
	}
	chi := 0.0
	for _, c := range count {
		chi += math.Pow(float64(c)-n/16, 2) / (n / 16)
	}
	if chi > 45 { // 15 degrees of freedom: p < 1e-4
		t.Errorf("χ² is %v: %v", chi, count)
	}
}

func TestNeighboursAndSeedsAreUncorrelated(t *testing.T) {
	const n = 1 << 18
	x, y := make([]float64, n), make([]float64, n)
	for _, kind := range []Kind{Uniform, Normal, Integer} {
		fill(x, Spec{kind, 1}, 0, 1)
		for name, with := range map[string]struct {
			seed  uint64
			first int64
		}{"the next element": {1, 1}, "the next block": {1, 4}, "the next row of 512": {1, 512}, "the next seed": {2, 0}, "the next seed's next element": {2, 1}} {
			fill(y, Spec{kind, with.seed}, with.first, 1)
			if r := correlation(x, y); !(math.Abs(r) < 5/math.Sqrt(n)) {
				t.Errorf("%s: correlation with %s: %v", kind, name, r)
			}
		}
	}
}

func correlation(x, y []float64) float64 {
	mx, my := moments(x), moments(y)
	c := 0.0
	for i := range x {
		c += (x[i] - mx[0]) * (y[i] - my[0])
	}
	return c / float64(len(x)) / math.Sqrt((mx[1]-mx[0]*mx[0])*(my[1]-my[0]*my[0]))
}

func TestNormalInvertsTheDistributionFunction(t *testing.T) {
	for i := range uint64(200_000) {
		w := philox(3, i)[0]
		if i < 4*52 {
			w = bits.RotateLeft64(1, int(12+i%52)) - i/52 // towards 0: far into the tail
		}
		x := normal(w)
		p := (float64(w>>12) + 0.5) * 0x1p-52
		got, want := math.Erfc(-x/math.Sqrt2)/2, p
		if p > 0.5 { // the upper tail is known to more digits
			got, want = math.Erfc(x/math.Sqrt2)/2, 1-p
		}
		if !(math.Abs(got-want) <= 5e-14*want) {
			t.Fatalf("%x: normal %v has the distribution %v, want %v", w, x, got, want)
		}
	}
}

func TestNormalIsAntisymmetric(t *testing.T) {
	for i := range uint64(10_000) {
		w := philox(9, i)[1]
		if normal(w) != -normal(^w) {
			t.Fatalf("%x: %v and %v", w, normal(w), normal(^w))
		}
	}
	if x := normal(0); x > -8 || x < -9 {
		t.Errorf("the smallest is %v", x)
	}
}

func TestLogSmallIsNearTheLogarithm(t *testing.T) {
	for i := range uint64(100_000) {
		u := float64(philox(4, i)[0]>>11+1) * 0x1p-53
		for _, x := range []float64{u * 0.075, u * 0x1p-40, 0.075 * math.Pow(2, -50*u)} {
			if got, want := logSmall(x), math.Log(x); !(math.Abs(got-want) <= -4e-16*want) {
				t.Fatalf("log %v: got %v, want %v", x, got, want)
			}
		}
	}
}

func BenchmarkFill(b *testing.B) {
	for _, kind := range Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			dst := make([]float64, band)
			b.SetBytes(8 * band)
			for b.Loop() {
				fill(dst, Spec{kind, 1}, 0, 4096)
			}
		})
	}
}
