package tiling

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// draw returns random parameters of a small problem.
func draw(t *rapid.T) Params {
	size := rapid.Int64Range(0, 60)
	p := Params{
		Problem: Problem{size.Draw(t, "m"), size.Draw(t, "n"), size.Draw(t, "k")},
		MR:      rapid.Int64Range(1, 9).Draw(t, "mr"),
		NR:      rapid.Int64Range(1, 25).Draw(t, "nr"),
		TileM:   rapid.Int64Range(1, 70).Draw(t, "tileM"),
		TileN:   rapid.Int64Range(1, 70).Draw(t, "tileN"),
		Slice:   rapid.Int64Range(1, 5000).Draw(t, "slice"),
		LoadC0:  rapid.Bool().Draw(t, "c0"),
		Store:   rapid.Bool().Draw(t, "store"),
	}
	p.A = Operand{Pack: rapid.Bool().Draw(t, "packA"), Scatters: rapid.Bool().Draw(t, "scatA")}
	p.B = Operand{Pack: rapid.Bool().Draw(t, "packB"), Scatters: rapid.Bool().Draw(t, "scatB")}
	return p
}

// cover counts how often each element of a rows×cols rectangle is covered.
type cover struct {
	cols int64
	n    []int
}

func newCover(rows, cols int64) cover { return cover{cols, make([]int, rows*cols)} }

func (c cover) add(r Rect) {
	for i := r.R0; i < r.R1; i++ {
		for j := r.C0; j < r.C1; j++ {
			c.n[i*c.cols+j]++
		}
	}
}

func (c cover) all(r Rect) bool {
	for i := r.R0; i < r.R1; i++ {
		for j := r.C0; j < r.C1; j++ {
			if c.n[i*c.cols+j] == 0 {
				return false
			}
		}
	}
	return true
}

func (c cover) onceEach() bool {
	for _, n := range c.n {
		if n != 1 {
			return false
		}
	}
	return true
}

// run executes a plan in a random order that the schedule allows, with some
// tasks given back, and checks that nothing runs before what it needs.
func run(t *rapid.T, pl *Plan) map[Kind]cover {
	done := map[Kind]cover{
		PackA: newCover(pl.M, pl.K), PackB: newCover(pl.N, pl.K),
		LoadC0: newCover(pl.M, pl.N), Multiply: newCover(pl.M, pl.N), Store: newCover(pl.M, pl.N),
	}
	s := NewSchedule(pl)
	var held []int
	for s.Left() > 0 {
		for range rapid.IntRange(1, 4).Draw(t, "take") {
			if id, ok := s.Next(); ok {
				held = append(held, id)
			}
		}
		if len(held) == 0 {
			t.Fatalf("%d tasks left and none ready", s.Left())
		}
		i := rapid.IntRange(0, len(held)-1).Draw(t, "finish")
		id := held[i]
		held = append(held[:i], held[i+1:]...)
		if rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
			s.Again(id)
			continue
		}
		checkNeeds(t, pl, done, id)
		done[pl.Kind(id)].add(pl.Rect(id))
		s.Done(id)
	}
	return done
}

func checkNeeds(t *rapid.T, pl *Plan, done map[Kind]cover, id int) {
	r := pl.Rect(id)
	switch pl.Kind(id) {
	case Multiply:
		if r.R0%pl.MR != 0 || r.C0%pl.NR != 0 {
			t.Fatalf("tile %v starts inside a micro-panel", r)
		}
		if pl.A.Pack && !done[PackA].all(Rect{r.R0, r.R1, 0, pl.K}) {
			t.Fatalf("tile %v ran before its rows of A were packed", r)
		}
		if pl.B.Pack && !done[PackB].all(Rect{r.C0, r.C1, 0, pl.K}) {
			t.Fatalf("tile %v ran before its columns of B were packed", r)
		}
		if pl.LoadC0 && !done[LoadC0].all(r) {
			t.Fatalf("tile %v ran before its C0 was loaded", r)
		}
	case Store:
		if !done[Multiply].all(r) {
			t.Fatalf("rows %v were stored before they were computed", r)
		}
	case PackA, PackB:
		if width := map[Kind]int64{PackA: pl.MR, PackB: pl.NR}[pl.Kind(id)]; r.R0%width != 0 {
			t.Fatalf("block %v starts inside a micro-panel", r)
		}
	}
}

func TestEveryOrderThatTheScheduleAllowsCoversTheProblemOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pl, err := New(draw(t))
		if err != nil {
			t.Fatal(err)
		}
		done := run(t, pl)
		want := map[Kind]bool{
			PackA: pl.A.Pack && pl.N > 0, PackB: pl.B.Pack && pl.M > 0,
			LoadC0: pl.LoadC0, Multiply: true, Store: pl.Params.Store,
		}
		for kind, c := range done {
			if want[kind] && !c.onceEach() {
				t.Fatalf("%v does not cover its rectangle once", kind)
			}
		}
	})
}

func TestTheBestOrderNeedsNoWaiting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pl, err := New(draw(t))
		if err != nil {
			t.Fatal(err)
		}
		s := NewSchedule(pl)
		for id := range pl.Tasks() {
			got, ok := s.Next()
			if !ok || got != id {
				t.Fatalf("one worker alone: got task %d (%v), want %d", got, ok, id)
			}
			s.Done(got)
		}
	})
}

func TestNewRefusesWhatDoesNotFit(t *testing.T) {
	base := Params{MR: 8, NR: 24, TileM: 384, TileN: 768, Slice: 1 << 18}
	for name, p := range map[string]Problem{
		"C overflows":           {1 << 40, 1 << 40, 1},
		"A overflows":           {1 << 40, 1, 1 << 40},
		"B overflows":           {1, 1 << 40, 1 << 40},
		"bytes overflow":        {1 << 31, 1 << 30, 1},
		"rounding up overflows": {math.MaxInt64, 1, 1},
		"too many tiles":        {1 << 29, 1 << 28, 1},
	} {
		base.Problem = p
		if _, err := New(base); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: got %v, want ErrTooLarge", name, err)
		}
	}
	if _, err := New(Params{Problem: Problem{-1, 1, 1}, MR: 1, NR: 1, TileM: 1, TileN: 1, Slice: 1}); err == nil {
		t.Error("a negative size was accepted")
	}
}

func TestDefaultTileGivesEachWorkerWork(t *testing.T) {
	for _, c := range []struct {
		p       Problem
		workers int
	}{
		{Problem{4096, 4096, 4096}, 2}, {Problem{1, 1000000, 1}, 2}, {Problem{1000000, 8, 8}, 2},
		{Problem{64, 64, 65536}, 2}, {Problem{0, 0, 0}, 2}, {Problem{1797, 1797, 64}, 1024},
	} {
		m, n := DefaultTile(c.p, 8, 24, c.workers)
		if m < 8 || n < 24 || m%8 != 0 || n%24 != 0 || m*n > 384*768*2 {
			t.Errorf("%+v: tile %d×%d", c, m, n)
		}
	}
	m, n := DefaultTile(Problem{512, 512, 512}, 8, 24, 2)
	if tiles := ceilDiv(512, m) * ceilDiv(512, n); tiles < 8 {
		t.Errorf("512: %d tiles of %d×%d for two workers", tiles, m, n)
	}
}
