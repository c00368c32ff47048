package verify

import (
	"math"
	"math/rand/v2"
	"testing"

	"matmul/internal/elem"
)

// flip returns C with one bit changed.
func (s *sample) flip(at, bit int) matrix {
	c := s.c.clone()
	if s.t == elem.Float32 {
		c.data[at] = float64(math.Float32frombits(math.Float32bits(float32(c.data[at])) ^ 1<<(bit%32)))
	} else {
		c.data[at] = math.Float64frombits(math.Float64bits(c.data[at]) ^ 1<<bit)
	}
	return c
}

func TestExactFindsOneChangedBitAtAnyPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, typ := range types {
		good := newSample(typ, random(r, 5, 6, typ), random(r, 6, 7, typ), random(r, 5, 7, typ), 1.3, 0.7)
		for at := range good.c.data {
			s := *good
			s.formC.fortran = at%2 == 1
			s.c = good.flip(at, at*11%(8*typ.Size()))
			v := s.verdict(t, Exact, Options{})
			if v.OK || v.Wrong != 1 || v.Worst.Row != int64(at/7) || v.Worst.Col != int64(at%7) {
				t.Errorf("%v element %d: %+v", typ, at, v)
			}
			if got := s.c.data[at]; v.Worst.Got != got && got == got || v.Worst.Want != good.c.data[at] {
				t.Errorf("%v element %d: %+v", typ, at, v)
			}
		}
	}
}

func TestExactFindsOneChangedBitAcrossBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	for _, c := range []struct{ m, n int }{{260, 140}, {3, 4200}, {4200, 3}} {
		good := newSample(elem.Float64, random(r, c.m, 9, elem.Float64), random(r, 9, c.n, elem.Float64), matrix{}, 1, 0)
		for _, at := range []int{0, c.n - 1, 127 * c.n % (c.m * c.n), 128 * c.n % (c.m * c.n), 4095 % (c.m * c.n), 4096 % (c.m * c.n), c.m*c.n - 1} {
			s := *good
			s.c = good.flip(at, 0)
			v := s.verdict(t, Exact, Options{})
			if v.OK || v.Wrong != 1 || v.Worst.Row != int64(at/c.n) || v.Worst.Col != int64(at%c.n) {
				t.Errorf("%v element %d: %+v", c, at, v)
			}
		}
	}
}

func TestExactTellsZerosApartButNotNaNs(t *testing.T) {
	negative := math.Copysign(0, -1)
	payload := math.Float64frombits(0x7ff8000000000123)
	for _, c := range []struct {
		name       string
		a, b, cGot float64
		ok         bool
	}{
		{"+0 for +0", 0, 1, 0, true},
		{"-0 for +0", 0, 1, negative, false},
		{"+0 for fma(-0, 1, +0)", negative, 1, 0, true},
		{"one NaN for another", math.Inf(1), 0, payload, true},
		{"0 for NaN", math.Inf(1), 0, 0, false},
		{"NaN for 0", 0, 0, payload, false},
		{"Inf for Inf", math.Inf(1), 2, math.Inf(1), true},
		{"-Inf for Inf", math.Inf(1), 2, math.Inf(-1), false},
	} {
		for _, method := range methods {
			one := func(v float64) matrix { return matrix{1, 1, []float64{v}} }
			s := newSample(elem.Float64, one(c.a), one(c.b), one(0), 1, 0)
			s.c = one(c.cGot)
			ok := c.ok || method != Exact && c.cGot == 0 && c.a == 0 // a bound does not see signs of zero
			if v := s.verdict(t, method, Options{}); v.OK != ok {
				t.Errorf("%s, %s: %+v", c.name, method, v)
			}
		}
	}
}

// TestGonumAcceptsUpToItsBoundAndNoFurther compares with C that are off by a
// share of the bound, computed here from the design's formula.
func TestGonumAcceptsUpToItsBoundAndNoFurther(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	for _, typ := range types {
		const m, n, k = 9, 8, 50
		good := newSample(typ, random(r, m, k, typ), random(r, k, n, typ), random(r, m, n, typ), 1.3, 0.7)
		u := precisionOf(typ).u
		const row, col = 3, 5
		g, maxB := 0.7*math.Abs(good.c0.at(row, col)), 0.0
		for p := range k {
			g += 1.3 * math.Abs(good.a.at(row, p)*good.b.at(p, col))
			maxB = max(maxB, math.Abs(good.b.at(p, col)))
		}
		bound := 2 * ((k + 2) * u / (1 - (k+2)*u)) * g
		for share, ok := range map[float64]bool{0: true, 0.8: true, -0.8: true, 1.2: false, -1.2: false, 1e6: false} {
			s := *good
			s.c = good.c.clone()
			s.c.data[row*n+col] = precisionOf(typ).round(s.c.data[row*n+col] + share*bound)
			v := s.verdict(t, Gonum, Options{})
			if v.OK != ok || v.Worst.Row != row && share != 0 || v.Worst.Col != col && share != 0 {
				t.Errorf("%v off by %v of the bound: %+v", typ, share, v)
			}
			if share > 0 && math.Abs(v.Worst.Bound/bound-1) > 1e-6 {
				t.Errorf("%v: bound %v, want %v", typ, v.Worst.Bound, bound)
			}
		}
	}
}

func TestFreivaldsAcceptsUpToItsBoundAndNoFurther(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	for _, typ := range types {
		const m, n, k = 9, 8, 50
		good := newSample(typ, random(r, m, k, typ), random(r, k, n, typ), random(r, m, n, typ), 1.3, 0.7)
		u := precisionOf(typ).u
		const row, col = 3, 5
		g := 0.0
		for j := range n {
			g += 0.7 * math.Abs(good.c0.at(row, j))
			for p := range k {
				g += 1.3 * math.Abs(good.a.at(row, p)*good.b.at(p, j))
			}
		}
		bound := (gamma(2*n+2*k+16, 0x1p-53) + (k+2)*u/(1-(k+2)*u)) * g
		for share, ok := range map[float64]bool{0: true, 0.8: true, -0.8: true, 1.2: false, -1.2: false, 1e6: false} {
			for seed := range uint64(20) {
				s := *good
				s.c = good.c.clone()
				s.c.data[row*n+col] = precisionOf(typ).round(s.c.data[row*n+col] + share*bound)
				v := s.verdict(t, Freivalds, Options{Seed: seed + 1})
				if v.OK != ok || !ok && (v.Worst.Row != row || v.Worst.Col != -1 || v.Element.Row != row || v.Element.Col != col) {
					t.Errorf("%v off by %v of the bound: %+v", typ, share, v)
				}
				if share > 0 && math.Abs(v.Worst.Bound/bound-1) > 1e-6 && !ok {
					t.Errorf("%v: bound %v, want %v", typ, v.Worst.Bound, bound)
				}
			}
		}
	}
}

// TestRoundsFindWhatCancelsInOne: two opposite errors of a row cancel in half
// of all rounds.
func TestRoundsFindWhatCancelsInOne(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	s := newSample(elem.Float64, random(r, 4, 6, elem.Float64), random(r, 6, 5, elem.Float64), matrix{}, 1, 0)
	s.c.data[1]++
	s.c.data[3]--
	missed := map[int]int{}
	for seed := range uint64(200) {
		for _, rounds := range []int{1, 12} {
			v := s.verdict(t, Freivalds, Options{Seed: seed + 1, Rounds: rounds})
			if v.Seed != seed+1 || v.Rounds != rounds {
				t.Fatalf("seed %d, %d rounds: %+v", seed+1, rounds, v)
			}
			if v.OK {
				missed[rounds]++
			}
		}
	}
	if missed[1] < 70 || missed[1] > 130 || missed[12] > 1 {
		t.Errorf("missed of 200: %v in 1 round, %v in 12; want about 100 and 0", missed[1], missed[12])
	}
}

func TestASeedIsChosenAndRepeatsTheCheck(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	s := newSample(elem.Float64, random(r, 40, 60, elem.Float64), random(r, 60, 50, elem.Float64), matrix{}, 1, 0)
	first := s.verdict(t, Freivalds, Options{})
	again := s.verdict(t, Freivalds, Options{Seed: first.Seed})
	if first.Seed == 0 || first.Worst != again.Worst {
		t.Errorf("%+v, then %+v", first, again)
	}
}

// TestOverflowThatTheBoundDoesNotShow: round(α·a) is Inf, and what multiplies
// it is zero or tiny.
func TestOverflowThatTheBoundDoesNotShow(t *testing.T) {
	for _, typ := range types {
		big := math.Sqrt(precisionOf(typ).max) * 4
		for _, b := range []float64{0, 1e-30} {
			s := newSample(typ, matrix{2, 1, []float64{big, 1}}, matrix{1, 1, []float64{b}}, matrix{}, precisionOf(typ).round(big), 0)
			for _, method := range methods {
				if v := s.verdict(t, method, Options{}); !v.OK || v.Defined == 0 {
					t.Errorf("%v b=%v %s: %+v", typ, b, method, v)
				}
				wrong := *s
				wrong.c = s.c.clone()
				wrong.c.data[0] = 0
				if v := wrong.verdict(t, method, Options{}); v.OK || v.Element.Row != 0 || v.Element.Col != 0 {
					t.Errorf("%v b=%v %s accepts a 0: %+v", typ, b, method, v)
				}
			}
		}
	}
}

// TestNaNAnywhereInCIsFound also where every other number is ordinary.
func TestNaNAnywhereInCIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	for _, typ := range types {
		good := newSample(typ, random(r, 4, 3, typ), random(r, 3, 5, typ), matrix{}, 1, 0)
		for at := range good.c.data {
			for _, v := range []float64{math.NaN(), math.Inf(1)} {
				for _, method := range methods {
					s := *good
					s.c = good.c.clone()
					s.c.data[at] = v
					if v := s.verdict(t, method, Options{}); v.OK || v.Element.Row != int64(at/5) || v.Element.Col != int64(at%5) {
						t.Errorf("%v %s element %d: %+v", typ, method, at, v)
					}
				}
			}
		}
	}
}
