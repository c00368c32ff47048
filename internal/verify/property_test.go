package verify

import (
	"flag"
	"math"
	"testing"

	"matmul/internal/elem"

	"pgregory.net/rapid"
)

// checks sets the number of rapid's checks, unless the command line did.
func checks(t *testing.T, n string) {
	f := flag.Lookup("rapid.checks")
	if testing.Short() {
		n = "100"
	}
	if f.Value.String() == f.DefValue {
		t.Cleanup(func() { f.Value.Set(f.DefValue) })
		f.Value.Set(n)
	}
}

// values draws numbers of a kind that suits a whole matrix.
func values(t elem.Type) *rapid.Generator[func(rt *rapid.T) float64] {
	p := precisionOf(t)
	some := func(vs ...float64) func(rt *rapid.T) float64 {
		return func(rt *rapid.T) float64 { return p.round(rapid.SampledFrom(vs).Draw(rt, "v")) }
	}
	scaled := func(by float64) func(rt *rapid.T) float64 {
		return func(rt *rapid.T) float64 {
			return p.round(by * float64(rapid.IntRange(-1<<20, 1<<20).Draw(rt, "v")) * 0x1.1p-20)
		}
	}
	root := math.Sqrt(p.max)
	return rapid.SampledFrom([]func(rt *rapid.T) float64{
		scaled(1), scaled(1e10), scaled(1e-10), scaled(root), scaled(p.max / 4), scaled(1 / root), scaled(p.eta * (1 << 25)),
		some(0, 1, -1, 2), some(p.eta, -p.eta, 0, p.eta*3), some(p.max, -p.max, 1, p.eta, 0), some(1/p.u, -1/p.u, 1, 1+2*p.u, -1),
		some(0, 1, math.Copysign(0, -1), -1, math.NaN()), some(1, -1, math.Inf(1), 0), some(math.Inf(1), math.Inf(-1), p.max),
		some(1, -1, root, -root, 1/root),
	})
}

func drawMatrix(rt *rapid.T, typ elem.Type, rows, cols int, name string) matrix {
	next := values(typ).Draw(rt, name)
	return generate(rows, cols, func() float64 { return next(rt) })
}

func drawForm(rt *rapid.T, typ elem.Type) form {
	return form{typ, rapid.Bool().Draw(rt, "fortran"), rapid.Bool().Draw(rt, "big")}
}

func drawSample(rt *rapid.T) *sample {
	typ := rapid.SampledFrom(types).Draw(rt, "type")
	size := rapid.IntRange(0, 7)
	m, n, k := size.Draw(rt, "m"), size.Draw(rt, "n"), size.Draw(rt, "k")
	factor := rapid.SampledFrom([]float64{1, 0, -1, 1.3, 0.7, 1e30, 1e-30, 1e300, 5e-324, math.Inf(1)})
	alpha, beta := factor.Draw(rt, "alpha"), factor.Draw(rt, "beta")
	p := precisionOf(typ)
	s := newSample(typ, drawMatrix(rt, typ, m, k, "A"), drawMatrix(rt, typ, k, n, "B"), drawMatrix(rt, typ, m, n, "C0"), p.round(alpha), p.round(beta))
	s.transA, s.transB = rapid.Bool().Draw(rt, "transA"), rapid.Bool().Draw(rt, "transB")
	s.formA, s.formB, s.formC0, s.formC = drawForm(rt, typ), drawForm(rt, typ), drawForm(rt, typ), drawForm(rt, typ)
	return s
}

// TestNoMethodRaisesAFalseAlarm over numbers of every range, and exact raises
// one for any other bit.
func TestNoMethodRaisesAFalseAlarm(t *testing.T) {
	checks(t, "2000")
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSample(rt)
		for _, method := range methods {
			if v := s.verdict(t, method, Options{Seed: 1 + rapid.Uint64Max(1<<60).Draw(rt, "seed")}); !v.OK {
				rt.Fatalf("%s: %+v", method, v)
			}
		}
		if len(s.c.data) == 0 {
			return
		}
		at := rapid.IntRange(0, len(s.c.data)-1).Draw(rt, "at")
		was := s.c.data[at]
		s.c = s.flip(at, rapid.IntRange(0, 63).Draw(rt, "bit"))
		if is := s.c.data[at]; is != is && was != was {
			return
		}
		if v := s.verdict(t, Exact, Options{}); v.OK || v.Element.Row != int64(at/s.c.cols) || v.Element.Col != int64(at%s.c.cols) {
			rt.Fatalf("exact overlooks %v for %v: %+v", s.c.data[at], was, v)
		}
	})
}

// TestTheMethodsAgreeOnWhatIsFarOff: an error of any method's notice.
func TestTheMethodsAgreeOnWhatIsFarOff(t *testing.T) {
	checks(t, "300")
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSample(rt)
		if len(s.c.data) == 0 {
			return
		}
		at := rapid.IntRange(0, len(s.c.data)-1).Draw(rt, "at")
		was := s.c.data[at]
		s.c.data[at] = math.NaN()
		if was == 0 || math.Abs(was) <= precisionOf(s.t).max {
			for _, method := range methods {
				if v := s.verdict(t, method, Options{}); v.OK || v.Element.Row != int64(at/s.c.cols) || v.Element.Col != int64(at%s.c.cols) {
					rt.Fatalf("%s overlooks NaN for %v: %+v", method, was, v)
				}
			}
		}
	})
}
