package tiling

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// idle simulates workers of so many operations a nanosecond, whose times vary by up
// to noise of themselves, and returns what share of the time they idle before the last
// one ends, and how many tiles and parts there are. Of free tiles the speeds are known,
// and twice the noise is held back.
func idle(pl *Plan, speeds []float64, noise float64, rng *rand.Rand) (share float64, tasks int) {
	type taken struct {
		id  int
		end float64
	}
	s, p := NewSchedule(pl), NewPace(pl, len(speeds), speeds)
	if pl.Strips() {
		s.HoldBack(2 * noise)
	}
	has := make([]*taken, len(speeds))
	busy, now := 0.0, 0.0
	take := func(w int) {
		id, ok := s.Next(p.Share(w, s.Open(), int64(now)))
		if !ok {
			return
		}
		flops := s.Rect(id).Flops(pl.K)
		p.Took(w, flops, int64(now))
		long := flops / speeds[w] * (1 + noise*(2*rng.Float64()-1))
		busy += long
		has[w] = &taken{id, now + long}
		tasks++
	}
	for w := range speeds {
		take(w)
	}
	for s.Left() > 0 {
		first := -1
		for w, x := range has {
			if x != nil && (first < 0 || x.end < has[first].end) {
				first = w
			}
		}
		x := has[first]
		now, has[first] = x.end, nil
		p.Did(first, s.Rect(x.id).Flops(pl.K), int64(now))
		s.Done(x.id)
		for w := range has {
			if has[w] == nil {
				take(w)
			}
		}
	}
	return 1 - busy/(now*float64(len(speeds))), tasks
}

func TestWorkersEndTogether(t *testing.T) {
	for _, c := range []struct {
		name         string
		p            Params
		same         float64 // idle share of the time, at equal speeds that do not vary
		equal, worst float64 // idle share of the time beside one of at least 0.9 times the speed, and of 0.6
		tasks        int     // at most
	}{
		{"two rows of tiles for each of two workers, in memory", Params{Problem: Problem{4096, 4096, 4096}, Down: 4, Across: 1, Taper: TaperFor(2, OfStored)}, 0.005, 0.0125, 0.0125, 11},
		{"sixteen tiles in panels", Params{Problem: Problem{4096, 4096, 4096}, Down: 8, Across: 2, Taper: TaperFor(2, OfPanels)}, 0.005, 0.01, 0.015, 20},
		{"four workers", Params{Problem: Problem{8192, 8192, 8192}, Down: 8, Across: 2, Taper: TaperFor(4, OfPanels)}, 0.005, 0.01, 0.01, 30},
		{"sixteen workers", Params{Problem: Problem{8192, 8192, 8192}, Down: 16, Across: 4, Taper: TaperFor(16, OfPanels)}, 0.02, 0.03, 0.03, 100},
		{"a tile for each of two workers, which is left whole", Params{Problem: Problem{2048, 2048, 2048}, Down: 2, Across: 1, Taper: TaperFor(2, OfStored)}, 0.005, 0.08, 0.25, 2},
		{"a strip for each of two workers", Params{Problem: Problem{2048, 2048, 2048}, Down: 2, Across: 1, Taper: Taper{Workers: 2, Free: true}}, 0, 0.025, 0.025, 2},
		{"larger strips, of which some is held back", Params{Problem: Problem{4096, 4096, 4096}, Down: 2, Across: 1, Taper: Taper{Workers: 2, Free: true}}, 0, 0.01, 0.01, 12},
		{"a strip of columns for each of three workers", Params{Problem: Problem{64, 8192, 8192}, Down: 1, Across: 3, Taper: Taper{Workers: 3, Free: true}}, 0.005, 0.03, 0.035, 8},
	} {
		c.p.MR, c.p.NR, c.p.Slice = 8, 24, 1
		pl, err := New(c.p)
		if err != nil {
			t.Fatal(err)
		}
		speeds := slices.Repeat([]float64{100}, int(c.p.Taper.Workers))
		rng := rand.New(rand.NewPCG(1, 2))
		if share, _ := idle(pl, speeds, 0, rand.New(rand.NewPCG(1, 2))); share > c.same {
			t.Errorf("%s: workers of the same speed idle for %.4f of the time, at most %.4f is expected", c.name, share, c.same)
		}
		equal, worst, parts := 0.0, 0.0, 0
		for slow := 60.0; slow <= 100; slow++ {
			speeds[0] = slow
			for range 20 {
				share, tasks := idle(pl, speeds, 0.02, rng)
				worst, parts = max(worst, share), max(parts, tasks)
				if slow >= 90 {
					equal = max(equal, share)
				}
			}
		}
		if equal > c.equal || worst > c.worst || parts > c.tasks {
			t.Errorf("%s: workers idle for %.4f of the time, at unequal speeds %.4f, and have %d tasks; at most %.4f, %.4f and %d are expected",
				c.name, equal, worst, parts, c.equal, c.worst, c.tasks)
		}
	}
}

// TestStripsAreAllOfC hands out strips, some of which come back, to workers of any
// speed.
func TestStripsAreAllOfC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.IntRange(2, 9).Draw(t, "workers")
		p := Params{Problem: Problem{K: rapid.SampledFrom([]int64{7, 700}).Draw(t, "k")}, MR: 8, NR: 24, Slice: 1, Taper: Taper{Workers: int64(w), Free: true}}
		long, short := rapid.Int64Range(int64(w)*24-23, 5000).Draw(t, "long"), rapid.Int64Range(1, 500).Draw(t, "short")
		rows := rapid.Bool().Draw(t, "rows")
		if p.M, p.N, p.Down, p.Across = short, long, 1, int64(w); rows {
			p.M, p.N, p.Down, p.Across = long, short, int64(w), 1
		}
		pl, err := New(p)
		if err != nil {
			t.Fatal(err)
		}
		speeds := rapid.SliceOfN(rapid.Float64Range(0.01, 100), w, w).Draw(t, "speeds")
		s, pace := NewSchedule(pl), NewPace(pl, w, speeds)
		if !pl.Strips() || pace == nil {
			t.Fatalf("%d×%d for %d workers is not cut into strips", p.M, p.N, w)
		}
		held := s.HoldBack(rapid.Float64Range(0, 0.3).Draw(t, "held back"))
		var strips, parts []Rect
		for s.Left() > 0 {
			worker := rapid.IntRange(0, w-1).Draw(t, "worker")
			id, ok := s.Next(pace.Share(worker, s.Open(), 0))
			if !ok {
				t.Fatalf("no strip is left, and %d are not done", s.Left())
			}
			r := s.Rect(id)
			if r.R0 >= r.R1 || r.C0 >= r.C1 || r.R0%pl.MR != 0 || r.C0%pl.NR != 0 {
				t.Fatalf("%v is not whole units", r)
			}
			if rapid.IntRange(0, 3).Draw(t, "fate") == 0 {
				s.Again(id)
				pace.Lost(worker)
				continue
			}
			pace.Took(worker, r.Flops(pl.K), 0)
			if id < pl.Tasks() {
				strips = append(strips, r)
			} else {
				parts = append(parts, r)
			}
			s.Done(id)
		}
		if held != (len(parts) > 0) || len(strips) != w || s.Open() != 0 {
			t.Fatalf("%d strips and parts %v of %d×%d for %d workers; held back: %v; %v operations are open", len(strips), parts, p.M, p.N, w, held, s.Open())
		}
		at := Rect{0, p.M, 0, p.N}
		for _, r := range parts {
			at.C1 = min(at.C1, r.C0)
		}
		checkCover(t, Rect{0, p.M, at.C1, p.N}, parts)
		checkCover(t, at, strips)
		for _, r := range strips {
			if rows && r.Cols() != at.Cols() || !rows && r.Rows() != at.Rows() {
				t.Fatalf("strips %v are not all across %v", strips, at)
			}
		}
	})
}

// checkCover fails unless each element of whole is in one of the rectangles.
func checkCover(t *rapid.T, whole Rect, rects []Rect) {
	t.Helper()
	area := int64(0)
	for i, r := range rects {
		area += r.Rows() * r.Cols()
		for _, x := range append(rects[:i:i], Rect{R0: whole.R1, R1: math.MaxInt64, C1: math.MaxInt64}, Rect{C0: whole.C1, R1: math.MaxInt64, C1: math.MaxInt64}) {
			if max(r.R0, x.R0) < min(r.R1, x.R1) && max(r.C0, x.C0) < min(r.C1, x.C1) {
				t.Fatalf("%v and %v overlap", r, x)
			}
		}
	}
	if area != whole.Rows()*whole.Cols() {
		t.Fatalf("%v are %d elements, %v has %d", rects, area, whole, whole.Rows()*whole.Cols())
	}
}

func TestPartsOfTilesAreWorthIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pl, err := New(draw(t))
		if err != nil {
			t.Fatal(err)
		}
		if pl.TileRows() == 0 || pl.TileCols() == 0 {
			return
		}
		whole := Rect{pl.rows[0], pl.rows[1], pl.cols[0], pl.cols[1]}
		all := whole.Flops(pl.K)
		share := rapid.Float64Range(0, 2*all).Draw(t, "share")
		part, rest, ok := pl.cut(whole, share)
		if !ok {
			return
		}
		if share >= all {
			t.Fatalf("%v is cut for a worker that should take all of it", whole)
		}
		for _, r := range []Rect{part, rest} {
			side, unit := r.Cols(), pl.NR
			if whole.Rows() > whole.Cols() {
				side, unit = r.Rows(), pl.MR
			}
			if ceilDiv(side, unit) < ceilDiv(pl.Taper.Side, unit) {
				t.Fatalf("%v is cut into %v and %v: a side of %d is asked for", whole, part, rest, pl.Taper.Side)
			}
		}
		if part.Flops(pl.K) < pl.Taper.Flops {
			t.Fatalf("%v is cut into %v of %v operations and %v, %v are asked for", whole, part, part.Flops(pl.K), rest, pl.Taper.Flops)
		}
	})
}

func TestAFasterWorkerTakesMore(t *testing.T) {
	pl, err := New(Params{Problem: Problem{4096, 4096, 4096}, Down: 8, Across: 2, Taper: TaperFor(3, OfPanels), MR: 8, NR: 24, Slice: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := NewPace(pl, 3, nil)
	if got := p.Share(0, 900, 0); got != 900 {
		t.Errorf("the first one who comes should take %v of 900, and not all: nobody else has taken any", got)
	}
	p.Took(0, 300, 0)
	p.Took(1, 100, 0)
	p.Did(0, 300, 100)
	p.Did(1, 100, 100)
	if a, b := p.Share(0, 400, 100), p.Share(1, 400, 100); a != 300 || b != 100 {
		t.Errorf("workers of rates 3 and 1 should take %v and %v of 400, want 300 and 100", a, b)
	}
	p.Took(1, 100, 100)
	if got := p.Share(0, 100, 150); got != 100 {
		t.Errorf("beside one who is busy for 50 ns more, %v of 100 should be taken that take 34 ns", got)
	}
	if got := p.Share(0, 190, 150); got != 180 {
		t.Errorf("beside one who is busy for 50 ns more, %v of 190 should be taken, want 180", got)
	}
	p.Lost(1)
	if got := p.Share(0, 190, 150); got != 190 {
		t.Errorf("beside one who is lost, %v of 190 should be taken", got)
	}
	p.Took(2, 100, 150)
	if got := p.Share(2, 100, 150); got != 0 {
		t.Errorf("one who has enough for 33 ns should take %v of 100 more beside one who is free", got)
	}
}
