package tiling

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func drawBands(t *rapid.T) BandParams {
	side := func(what string) int64 {
		return rapid.Int64Range(1, 1<<rapid.IntRange(0, 12).Draw(t, what+" bits")).Draw(t, what)
	}
	p := BandParams{Problem: Problem{side("m"), side("n"), side("k")}, MR: rapid.Int64Range(1, 8).Draw(t, "MR"), NR: rapid.Int64Range(1, 48).Draw(t, "NR"),
		Checksums: rapid.Bool().Draw(t, "checksums"), Size: 8, ReadA: rapid.Int64Range(1, 8).Draw(t, "A"), ReadB: 8, ReadC0: 8 * rapid.Int64Range(0, 1).Draw(t, "C0")}
	p.Memory = p.Least() + rapid.Int64Range(0, 1<<rapid.IntRange(0, 26).Draw(t, "memory bits")).Draw(t, "memory")
	return p
}

// TestStepsComputeEachElementOnceFromBandsThatAreThere follows the steps with
// the memory that they have: each super-tile gets all of k in ascending order,
// from bands that lie in their slots, and no band is read into a slot that the
// step beside it uses.
func TestStepsComputeEachElementOnceFromBandsThatAreThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawBands(t)
		b, err := NewBands(p)
		if errors.Is(err, ErrTooLarge) && p.Memory < 2*p.Least() {
			return // more steps than anybody takes
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Bytes() > p.Memory {
			t.Fatalf("%+v take %d bytes", b, b.Bytes())
		}
		type band struct{ from, to, k0, k1 int64 }
		var a, bb [2]band
		next := map[[2]int64]int64{} // of k, by the corner of the super-tile
		area := int64(0)
		var traffic Traffic
		var before *Step
		for s := range b.Steps(nil) {
			wantA, wantB := band{s.C.R0, s.C.R1, s.K0, s.K1}, band{s.C.C0, s.C.C1, s.K0, s.K1}
			if before != nil && s.Beside(*before) && (s.LoadA && s.SlotA == before.SlotA || s.LoadB && s.SlotB == before.SlotB) {
				t.Fatalf("%+v is read into what %+v uses", s, *before)
			}
			if s.LoadA {
				a[s.SlotA] = wantA
				traffic.A += p.ReadA * s.C.Rows() * (s.K1 - s.K0)
			}
			if s.LoadB {
				bb[s.SlotB] = wantB
				traffic.B += p.ReadB * s.C.Cols() * (s.K1 - s.K0)
			}
			if a[s.SlotA] != wantA || bb[s.SlotB] != wantB || int64(s.SlotA) >= b.SlotsA || int64(s.SlotB) >= b.SlotsB {
				t.Fatalf("%+v finds %v and %v", s, a[s.SlotA], bb[s.SlotB])
			}
			if s.C.Rows() > b.Height || s.C.Cols() > b.Width || s.K1-s.K0 > b.Depth || !s.C.Inside(p.M, p.N) || s.C.R0%p.MR != 0 || s.C.C0%p.NR != 0 {
				t.Fatalf("%+v does not fit %+v", s, b)
			}
			at := [2]int64{s.C.R0, s.C.C0}
			if next[at] != s.K0 || s.First != (s.K0 == 0) || s.Last != (s.K1 == p.K) {
				t.Fatalf("%+v comes after k = %d", s, next[at])
			}
			next[at] = s.K1
			if s.Last {
				area += s.C.Rows() * s.C.Cols()
				traffic.C += 8 * s.C.Rows() * s.C.Cols()
			}
			before = &s
		}
		traffic.C0 = area * p.ReadC0
		if area != p.M*p.N {
			t.Fatalf("%d elements of %d×%d are computed", area, p.M, p.N)
		}
		got := b.Traffic(nil)
		if got.Elements = 0; got != traffic {
			t.Fatalf("traffic is %+v, want %+v", got, traffic)
		}
	})
}

// TestWhatIsKeptIsSkipped leaves out super-tiles: the others find their bands.
func TestWhatIsKeptIsSkipped(t *testing.T) {
	p := BandParams{Problem: Problem{1000, 1000, 1000}, MR: 8, NR: 24, Size: 8, ReadA: 8, ReadB: 8, Memory: 3 << 20}
	b, err := NewBands(p)
	if err != nil {
		t.Fatal(err)
	}
	n, loads := int64(0), 0
	for s := range b.Steps(func(c Rect) bool { return c.R0 == 0 || c.C0 > 0 && c.C0 < 500 }) {
		if s.C.R0 == 0 || s.C.C0 > 0 && s.C.C0 < 500 {
			t.Errorf("%+v is not skipped", s)
		}
		if n++; n == 1 && (!s.LoadA || !s.LoadB) {
			t.Errorf("the first step finds bands that nobody has read: %+v", s)
		}
		if s.LoadA {
			loads++
		}
	}
	if n == 0 || n >= b.Count() || loads == 0 {
		t.Errorf("%d of %d steps, %d bands of A", n, b.Count(), loads)
	}
}

// bound returns the least that must be read and written, in elements, with so
// many elements of memory.
func bound(p Problem, s int64) float64 { return p.Flops() / math.Sqrt(float64(s)) }

// TestSquareProductsReadLittle: with memory for an eighth of A, B and C, within
// 1.6 times the lower bound.
func TestSquareProductsReadLittle(t *testing.T) {
	for _, n := range []int64{1000, 1537, 2048, 3000, 4096, 7000, 12000, 20000, 65536} {
		for _, kernel := range [][2]int64{{8, 24}, {6, 8}, {4, 4}} {
			p := BandParams{Problem: Problem{n, n, n}, MR: kernel[0], NR: kernel[1], Size: 8, ReadA: 8, ReadB: 8, Memory: 3 * n * n}
			b, err := NewBands(p)
			if err != nil {
				t.Fatal(err)
			}
			ratio := float64(b.Traffic(nil).Elements) / bound(p.Problem, p.Memory/8)
			t.Logf("n = %d, %v: super-tiles of %d×%d, chunks of %d, %.3f times the bound", n, kernel, b.Height, b.Width, b.Depth, ratio)
			if ratio > 1.6 {
				t.Errorf("n = %d, %v: %.3f times the bound", n, kernel, ratio)
			}
		}
	}
}

func TestLongAndThinProductsReadNothingTwiceThatTheyNeedNot(t *testing.T) {
	for _, c := range []struct {
		p     Problem
		times float64 // how often all inputs are read, on average, at most
	}{
		{Problem{1, 1, 1e6}, 1}, {Problem{1e6, 8, 8}, 1}, {Problem{8, 8, 1e6}, 1}, {Problem{8, 1e6, 8}, 1},
		{Problem{20000, 300, 20000}, 1.1}, {Problem{20000, 20000, 300}, 2}, {Problem{300, 20000, 20000}, 1.1},
	} {
		p := BandParams{Problem: c.p, MR: 8, NR: 24, Size: 8, ReadA: 8, ReadB: 8, Memory: 20 << 20}
		b, err := NewBands(p)
		if err != nil {
			t.Fatal(err)
		}
		tr := b.Traffic(nil)
		times := float64(tr.A+tr.B) / 8 / float64(p.M*p.K+p.N*p.K)
		t.Logf("%v: super-tiles of %d×%d, chunks of %d, by columns %v, inputs are read %.3f times", c.p, b.Height, b.Width, b.Depth, b.ByColumns, times)
		if times > c.times {
			t.Errorf("%v: inputs are read %.3f times", c.p, times)
		}
	}
}

func TestTooLittleMemoryForBandsIsAnError(t *testing.T) {
	p := BandParams{Problem: Problem{1000, 1000, 1000}, MR: 8, NR: 24, Size: 8, ReadA: 8, ReadB: 8}
	p.Memory = p.Least() - 1
	if b, err := NewBands(p); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %+v, %v", b, err)
	}
	p.Memory++
	if _, err := NewBands(p); err != nil {
		t.Error(err)
	}
}
