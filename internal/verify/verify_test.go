package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"matmul/internal/elem"
	"matmul/internal/matfile"
)

func TestACorrectCIsAcceptedInEveryShapeAndForm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	step := 1
	if testing.Short() {
		step = 7
	}
	shapes := [][3]int{{0, 0, 0}, {0, 3, 2}, {3, 0, 2}, {3, 2, 0}, {0, 3, 0}, {1, 1, 1}, {1, 9, 17}, {17, 1, 5},
		{8, 8, 8}, {13, 11, 7}, {67, 3, 71}}
	for _, shape := range shapes {
		for variant := 0; variant < 32; variant += step {
			for _, typ := range types {
				m, n, k := shape[0], shape[1], shape[2]
				bit := func(i int) bool { return variant>>i&1 != 0 }
				s := newSample(typ, random(r, m, k, typ), random(r, k, n, typ), random(r, m, n, typ), 1.3, 0.7)
				s.transA, s.transB = bit(0), bit(1)
				s.formA = form{typ, bit(2), bit(3)}
				s.formB = form{typ, bit(3), bit(4)}
				s.formC0 = form{typ, bit(4), bit(0)}
				s.formC = form{typ, bit(4) != bit(2), bit(1)}
				for _, method := range methods {
					if v := s.verdict(t, method, Options{Rounds: 2}); !v.OK {
						t.Errorf("%v variant %d %v %s: %+v", shape, variant, typ, method, v)
					}
				}
			}
		}
	}
}

func TestShapesThatCrossEveryBlockAreAccepted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct{ m, n, k int }{
		{130, 9, 5}, {6, 515, 131}, {5, 131, 515}, {3, 5, 4101}, {2, 4099, 5}, {257, 1, 1}, {1030, 3, 2}, {1, 2050, 515}, {1, 70001, 2}, {2, 1, 70001},
	} {
		for _, typ := range types {
			for _, fortran := range []bool{false, true} {
				s := newSample(typ, random(r, c.m, c.k, typ), random(r, c.k, c.n, typ), random(r, c.m, c.n, typ), 1.3, 0.7)
				f := form{typ, fortran, false}
				s.formA, s.formB, s.formC0, s.formC = f, f, f, f
				for _, method := range methods {
					v := s.verdict(t, method, Options{Workers: 3})
					if !v.OK {
						t.Errorf("%v %v fortran=%v %s: %+v", c, typ, fortran, method, v)
					}
					if want := int64(c.m * c.n); method == Exact && v.Defined != want {
						t.Errorf("%v: %d elements compared, want %d", c, v.Defined, want)
					}
				}
			}
		}
	}
}

func TestElementsOfOtherTypesAreRoundedToCs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	wide := random(r, 9, 9, elem.Float64)
	for _, typ := range types {
		s := newSample(typ, wide, random(r, 9, 9, elem.Float32), random(r, 9, 9, elem.Float64), 1.3, 0.7)
		s.formA, s.formB, s.formC0 = form{t: elem.Float64}, form{t: elem.Float32, big: true}, form{t: elem.Float64, fortran: true}
		for _, method := range methods {
			if v := s.verdict(t, method, Options{}); !v.OK {
				t.Errorf("%v %s: %+v", typ, method, v)
			}
		}
	}
}

func TestWhatDoesNotTakePartIsNotRead(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, typ := range types {
		s := newSample(typ, random(r, 4, 3, typ), random(r, 3, 5, typ), random(r, 4, 5, typ), 0, 0.7)
		for _, method := range methods {
			p := s.open(t)
			p.A.Close() // reading it would fail
			p.B.Close()
			if v, err := Run(context.Background(), method, p, Options{}); err != nil || !v.OK {
				t.Errorf("alpha 0, %v %s: %+v, %v", typ, method, v, err)
			}
			p.C0.Close()
			if _, err := Run(context.Background(), method, p, Options{}); err == nil {
				t.Errorf("%s: no error for an unreadable C0", method)
			}
			closeAll(p)
		}
		s = newSample(typ, s.a, s.b, zeros(4, 5), 1.3, 0)
		for _, method := range methods {
			p := s.open(t)
			p.C0 = p.A // of another shape
			if v, err := Run(context.Background(), method, p, Options{}); err != nil || !v.OK {
				t.Errorf("beta 0, %v %s: %+v, %v", typ, method, v, err)
			}
			p.C0 = nil
			closeAll(p)
		}
	}
}

func TestWhatCannotBeVerifiedIsAnError(t *testing.T) {
	one := zeros(1, 1)
	p := newSample(elem.Float64, one, one, one, 1, 1).open(t)
	defer closeAll(p)
	whole := *p.C
	whole.Elem = elem.Int64
	for name, bad := range map[string]*Problem{
		"integers in C": {A: p.A, B: p.B, C: &whole, Alpha: 1},
		"no C0":         {A: p.A, B: p.B, C: p.C, Alpha: 1, Beta: 1},
	} {
		if err := bad.Check(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := Memory(Exact, bad, Options{}); err == nil {
			t.Errorf("%s: no error from Memory", name)
		}
	}
}

// TestAnIntegerThatFloat64CannotHoldIsNamed by its place in the matrix, not
// in the file.
func TestAnIntegerThatFloat64CannotHoldIsNamed(t *testing.T) {
	x := zeros(3, 4)
	x.data[2*4+1] = math.Float64frombits(1<<62 + 1) // as an int64, 2^62 + 1
	p := newSample(elem.Float64, zeros(3, 4), zeros(4, 2), zeros(3, 2), 1, 0).open(t)
	defer closeAll(p)
	for _, fortran := range []bool{false, true} {
		p.A = openMatrix(t, "A.npy", x, form{t: elem.Float64, fortran: fortran})
		p.A.Elem = elem.Int64
		for _, method := range methods {
			_, err := Run(context.Background(), method, p, Options{})
			if err == nil || !strings.Contains(err.Error(), "row 2, column 1") {
				t.Errorf("%s: %v", method, err)
			}
		}
		p.A.Close()
	}
}

func TestVectorsAreRowsOrColumnsAsTheyFit(t *testing.T) {
	flat := func(x matrix) *matfile.File { // 1-D, as matfile describes it
		f := openMatrix(t, "vector", matrix{len(x.data), 1, x.data}, form{t: elem.Float64})
		f.Dims = 1
		return f
	}
	r := rand.New(rand.NewPCG(15, 16))
	for _, c := range []struct{ m, n, k int }{{1, 5, 4}, {1, 1, 3}, {1, 4, 1}} {
		s := newSample(elem.Float64, random(r, c.m, c.k, elem.Float64), random(r, c.k, c.n, elem.Float64), random(r, c.m, c.n, elem.Float64), 1.3, 0.7)
		p := s.open(t)
		defer closeAll(p)
		p.A, p.C0, p.C = flat(s.a), flat(s.c0), flat(s.c)
		if c.n == 1 {
			p.B = flat(s.b)
		}
		for _, method := range methods {
			if v, err := Run(context.Background(), method, p, Options{}); err != nil || !v.OK {
				t.Errorf("%v %s: %+v, %v", c, method, v, err)
			}
		}
	}
}

func TestFilesThatDoNotFitAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ a, b, c0, c matrix }{
		"B.npy":  {zeros(2, 3), zeros(4, 5), zeros(2, 5), zeros(2, 5)},
		"C.npy":  {zeros(2, 3), zeros(3, 5), zeros(2, 5), zeros(5, 2)},
		"C0.npy": {zeros(2, 3), zeros(3, 5), zeros(2, 4), zeros(2, 5)},
	} {
		s := newSample(elem.Float64, zeros(1, 1), zeros(1, 1), zeros(1, 1), 1, 1)
		s.a, s.b, s.c0, s.c = c.a, c.b, c.c0, c.c
		p := s.open(t)
		defer closeAll(p)
		_, err := Run(context.Background(), Exact, p, Options{})
		var e *matfile.Error
		if !errors.As(err, &e) || e.Path != name {
			t.Errorf("want an error about %s, got %v", name, err)
		}
	}
}

func TestACancelledCheckHasNoVerdict(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	s := newSample(elem.Float64, random(r, 40, 40, elem.Float64), random(r, 40, 40, elem.Float64), matrix{}, 1, 0)
	p := s.open(t)
	defer closeAll(p)
	for _, method := range methods {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Run(ctx, method, p, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s before: %v", method, err)
		}
		ctx, cancel = context.WithCancel(context.Background())
		o := Options{Rounds: 9, Progress: func(done, total int64) { cancel() }}
		if _, err := Run(ctx, method, p, o); !errors.Is(err, context.Canceled) {
			t.Errorf("%s from the progress callback: %v", method, err)
		}
	}
}

func TestProgressEndsAtItsTotal(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, poison := range []float64{0, math.NaN()} {
		a := random(r, 300, 20, elem.Float64)
		a.data[7] += poison
		s := newSample(elem.Float64, a, random(r, 20, 15, elem.Float64), random(r, 300, 15, elem.Float64), 1.3, 0.7)
		for _, method := range methods {
			last, end := int64(0), int64(0)
			o := Options{Rounds: 2, Progress: func(done, total int64) {
				if done < last || done > total || total < end {
					t.Errorf("%s: %d of %d after %d of %d", method, done, total, last, end)
				}
				last, end = done, total
			}}
			if v := s.verdict(t, method, o); !v.OK || last != end || end == 0 {
				t.Errorf("%s: ended at %d of %d: %+v", method, last, end, v)
			}
		}
	}
}

func TestMemoryIsNotExceeded(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, typ := range types {
		for _, c := range []struct{ m, n, k int }{{700, 600, 50}, {40000, 1, 2}, {1, 40000, 2}, {20, 30, 900}} {
			s := newSample(typ, random(r, c.m, c.k, typ), random(r, c.k, c.n, typ), matrix{}, 0, 0)
			s.alpha, s.formB = 1, form{typ, true, true} // C is wrong, which costs most
			p := s.open(t)
			defer closeAll(p)
			for _, method := range methods {
				o := Options{Workers: 2}
				most, err := Memory(method, p, o)
				if err != nil {
					t.Fatal(err)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if _, err := Run(context.Background(), method, p, o); err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&after)
				// Goroutines and small things are not counted, and what is
				// allocated is rounded up to whole pages.
				if got := int64(after.TotalAlloc - before.TotalAlloc); got > most*9/8+200<<10 {
					t.Errorf("%v %v %s: allocated %d bytes, announced %d", c, typ, method, got, most)
				}
			}
		}
	}
}

func TestMethodsAreParsed(t *testing.T) {
	for _, m := range methods {
		if got, err := ParseMethod(fmt.Sprint(m)); got != m || err != nil {
			t.Errorf("%s: %v, %v", m, got, err)
		}
	}
	if _, err := ParseMethod("none"); err == nil {
		t.Error("none is not a method")
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a method that is none")
		}
	}()
	Run(context.Background(), "none", nil, Options{})
}
