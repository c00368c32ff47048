package tiling

import (
	"errors"
	"math"
	"slices"
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
		Down:    rapid.Int64Range(1, 9).Draw(t, "down"),
		Across:  rapid.Int64Range(1, 9).Draw(t, "across"),
		Taper: Taper{
			Workers: rapid.Int64Range(0, 5).Draw(t, "workers"),
			Side:    rapid.Int64Range(1, 30).Draw(t, "side of a part"),
			Flops:   rapid.Float64Range(0, 5000).Draw(t, "flops of a part"),
		},

		ByColumns: rapid.Bool().Draw(t, "by columns"),

		Slice:  rapid.Int64Range(1, 5000).Draw(t, "slice"),
		LoadC0: rapid.Bool().Draw(t, "c0"),
		Store:  rapid.Bool().Draw(t, "store"),
	}
	stored := rapid.SampledFrom([]Storage{LaneMajor, DepthMajor})
	p.A = Operand{Pack: rapid.Bool().Draw(t, "packA"), Stored: stored.Draw(t, "A")}
	p.B = Operand{Pack: rapid.Bool().Draw(t, "packB"), Stored: stored.Draw(t, "B")}
	return p
}

// drawKept returns rectangles of C, most of them of full rows.
func drawKept(t *rapid.T, p Problem) (kept []Rect) {
	for range rapid.IntRange(0, 4).Draw(t, "kept") {
		r0 := rapid.Int64Range(0, p.M).Draw(t, "r0")
		r := Rect{r0, rapid.Int64Range(r0, p.M).Draw(t, "r1"), 0, p.N}
		if rapid.IntRange(0, 9).Draw(t, "narrow") == 0 {
			r.C1 /= 2
		}
		kept = append(kept, r)
	}
	return kept
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
	share := rapid.Float64Range(0, 2*pl.Flops()+1)
	var held []int
	for s.Left() > 0 {
		for range rapid.IntRange(1, 4).Draw(t, "take") {
			if id, ok := s.Next(share.Draw(t, "share")); ok {
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
		checkNeeds(t, pl, done, s.Kind(id), s.Rect(id))
		done[s.Kind(id)].add(s.Rect(id))
		s.Done(id)
	}
	return done
}

func checkNeeds(t *rapid.T, pl *Plan, done map[Kind]cover, kind Kind, r Rect) {
	switch kind {
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
		if width := map[Kind]int64{PackA: pl.MR, PackB: pl.NR}[kind]; r.R0%width != 0 {
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

func TestWhatIsKeptIsNotDoneAgainAndAllElseIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t)
		p.Store = true
		p.Kept = drawKept(t, p.Problem)
		pl, err := New(p)
		if err != nil {
			t.Fatal(err)
		}
		kept := newCover(p.M, p.N)
		for _, r := range p.Kept {
			kept.add(r)
		}
		done := run(t, pl)
		for i := range p.M * p.N {
			stored, computed := done[Store].n[i], done[Multiply].n[i]
			if stored > 1 || stored != computed || stored == 0 && kept.n[i] == 0 {
				t.Fatalf("element %d of %d×%d is stored %d times, computed %d times, kept in %d rectangles", i, p.M, p.N, stored, computed, kept.n[i])
			}
		}
		again := int64(0) // kept, and computed all the same
		for _, b := range Covered(p.Kept, Rect{R1: p.M, C1: p.N}) {
			for i := b.R0; i < b.R1 && p.N > 0; i++ {
				again += int64(done[Store].n[i*p.N])
			}
		}
		if most := 2 * (p.MR - 1) * int64(len(p.Kept)); again > most {
			t.Fatalf("%d rows are computed again, at most %d should be", again, most)
		}
		if pl.KeptRows() == p.M && pl.Tasks() > 0 {
			t.Fatalf("all is kept, and there are %d tasks", pl.Tasks())
		}
	})
}

func TestRowsAreKeptByTheUnionOfRectangles(t *testing.T) {
	base := Params{Problem: Problem{40, 6, 5}, MR: 2, NR: 2, Down: 4, Across: 2, Slice: 10, Store: true,
		A: Operand{Pack: true}, B: Operand{Pack: true}}
	for _, c := range []struct {
		kept []Rect
		rows int64
	}{
		{nil, 0},
		{[]Rect{{0, 10, 0, 6}}, 10},
		{[]Rect{{0, 9, 0, 6}}, 8},
		{[]Rect{{4, 5, 0, 6}}, 0},
		{[]Rect{{39, 40, 0, 6}, {37, 39, 0, 6}}, 2},
		{[]Rect{{15, 20, 0, 6}, {10, 15, 0, 6}}, 10},
		{[]Rect{{0, 40, 0, 5}}, 0},
		{[]Rect{{5, 35, 0, 6}}, 28},
		{[]Rect{{0, 40, 0, 6}}, 40},
	} {
		base.Kept = c.kept
		pl, err := New(base)
		if err != nil {
			t.Fatal(err)
		}
		if got := pl.KeptRows(); got != c.rows {
			t.Errorf("%v keep %d rows, want %d", c.kept, got, c.rows)
		}
		blocks := 0
		for id := range pl.Tasks() {
			if pl.Kind(id) == PackA {
				blocks++
			}
		}
		if want := int(40-c.rows) / 2; blocks != want {
			t.Errorf("%v: %d blocks of A are packed, want %d", c.kept, blocks, want)
		}
	}
}

func TestTheBestOrderNeedsNoWaiting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t)
		p.Kept = drawKept(t, p.Problem)
		pl, err := New(p)
		if err != nil {
			t.Fatal(err)
		}
		s := NewSchedule(pl)
		for id := range pl.Tasks() {
			got, ok := s.Next(math.Inf(1))
			if !ok || got != id {
				t.Fatalf("one worker alone: got task %d (%v), want %d", got, ok, id)
			}
			s.Done(got)
		}
	})
}

func TestNewRefusesWhatDoesNotFit(t *testing.T) {
	base := Params{MR: 8, NR: 24, Down: 1 << 20, Across: 1 << 20, Slice: 1 << 18}
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
	if _, err := New(Params{Problem: Problem{-1, 1, 1}, MR: 1, NR: 1, Down: 1, Across: 1, Slice: 1}); err == nil {
		t.Error("a negative size was accepted")
	}
}

func TestTilesAreEqualButForOneMicroPanel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, unit := rapid.Int64Range(1, 5000).Draw(t, "n"), rapid.Int64Range(1, 50).Draw(t, "unit")
		count := rapid.Int64Range(1, 100).Draw(t, "count")
		e := edges(n, unit, count)
		short, long := n, int64(0)
		for i := range len(e) - 1 {
			size := e[i+1] - e[i]
			if size < 1 || e[i]%unit != 0 {
				t.Fatalf("piece %d of %v", i, e)
			}
			if i < len(e)-2 {
				short = min(short, size)
			}
			long = max(long, size)
		}
		if long > largest(n, unit, min(count, ceilDiv(n, unit))) || len(e) > 2 && long > short+unit {
			t.Fatalf("%d in %d pieces of units of %d: %v", n, count, unit, e)
		}
		if int64(len(e)-1) != min(count, ceilDiv(n, unit)) {
			t.Fatalf("%d pieces, want %d", len(e)-1, count)
		}
	})
}

func TestDefaultTilesShareTheWorkEvenly(t *testing.T) {
	for _, c := range []struct {
		p       Problem
		workers int64
		uneven  float64 // tolerated: the busiest worker's share over the mean
	}{
		{Problem{4096, 4096, 4096}, 2, 1.02}, {Problem{2048, 2048, 2048}, 2, 1.02}, {Problem{1024, 1024, 1024}, 2, 1.03},
		{Problem{4096, 4096, 4096}, 16, 1.05}, {Problem{3001, 3001, 3001}, 3, 1.03}, {Problem{64, 8192, 8192}, 2, 1.02},
		{Problem{8192, 64, 8192}, 2, 1.02}, {Problem{1797, 1797, 64}, 8, 1.1}, {Problem{256, 256, 256}, 2, 1.1},
		{Problem{64, 64, 65536}, 2, 1.6}, {Problem{20000, 20000, 20000}, 2, 1.02},
	} {
		for _, s := range []Shape{OfPanels, OfChecked} {
			down, across := DefaultTiles(c.p, s, 8, 24, int(c.workers))
			rows, cols := edges(c.p.M, 8, down), edges(c.p.N, 24, across)
			load := make([]int64, c.workers) // who has least takes the next tile
			for j := range len(cols) - 1 {
				for i := range len(rows) - 1 {
					slices.Sort(load)
					load[0] += (rows[i+1] - rows[i]) * (cols[j+1] - cols[j])
				}
			}
			busiest := float64(slices.Max(load)*c.workers) / float64(c.p.M*c.p.N)
			if busiest > c.uneven {
				t.Errorf("%+v on %d, %+v: %d×%d tiles, the busiest worker has %.3f of the mean", c.p, c.workers, s, down, across, busiest)
			}
		}
	}
	for _, p := range []Problem{{}, {0, 5, 5}, {1, 1, 0}, {1000000, 8, 8}, {1, 1000000, 1}} {
		if down, across := DefaultTiles(p, OfStored, 8, 24, 1024); down < 1 || across < 1 {
			t.Errorf("%+v: %d×%d tiles", p, down, across)
		}
	}
}

func TestTilesAreHandedOutByRowsOrByColumns(t *testing.T) {
	for byColumns, want := range map[bool][][2]int64{
		false: {{0, 0}, {0, 2}, {2, 2}, {2, 0}, {4, 0}, {4, 2}},
		true:  {{0, 0}, {2, 0}, {4, 0}, {4, 2}, {2, 2}, {0, 2}},
	} {
		pl, err := New(Params{Problem: Problem{6, 4, 3}, MR: 2, NR: 2, Down: 3, Across: 2, Slice: 100, ByColumns: byColumns})
		if err != nil {
			t.Fatal(err)
		}
		var got [][2]int64
		for id := range pl.Tasks() {
			got = append(got, [2]int64{pl.Rect(id).R0, pl.Rect(id).C0})
		}
		if !slices.Equal(got, want) {
			t.Errorf("by columns %v: %v, want %v", byColumns, got, want)
		}
	}
}

func TestWhatIsMissingAreTheRowsThatNothingCoversWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, n := rapid.Int64Range(0, 20).Draw(t, "m"), rapid.Int64Range(1, 9).Draw(t, "n")
		var kept []Rect
		for range rapid.IntRange(0, 8).Draw(t, "kept") {
			r0, c0 := rapid.Int64Range(0, m).Draw(t, "r0"), rapid.Int64Range(0, n).Draw(t, "c0")
			r := Rect{r0, rapid.Int64Range(r0, m).Draw(t, "r1"), c0, rapid.Int64Range(c0, n).Draw(t, "c1")}
			kept = append(kept, r)
			if rapid.Bool().Draw(t, "whole") { // two that make up full rows
				kept = append(kept, Rect{r.R0, r.R1, 0, r.C0}, Rect{r.R0, r.R1, r.C1, n})
			}
		}
		covered := newCover(m, n)
		for _, r := range kept {
			covered.add(r)
		}
		last := int64(0)
		for _, b := range Missing(kept, m, n) {
			if b.R0 < last || b.Rows() < 1 || b.C0 != 0 || b.C1 != n || b.R1 > m {
				t.Fatalf("band %v after row %d of %d×%d", b, last, m, n)
			}
			for i := last; i < b.R0; i++ {
				for j := range n {
					if covered.n[i*n+j] == 0 {
						t.Fatalf("element (%d, %d) is not covered and not missing", i, j)
					}
				}
			}
			last = b.R1
		}
	})
}
