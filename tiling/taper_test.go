package tiling

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// ends returns when each worker has done its last MULTIPLY task, if a free one
// takes the next, in units of one operation at speed 1.
func ends(pl *Plan, speeds []float64) []float64 {
	at := make([]float64, len(speeds))
	for id := range pl.Tasks() {
		if pl.Kind(id) != Multiply {
			continue
		}
		r := pl.Rect(id)
		next := slices.Index(at, slices.Min(at))
		at[next] += 2 * float64(r.Rows()) * float64(r.Cols()) * float64(pl.K) / speeds[next]
	}
	return at
}

func TestWorkersEndTogether(t *testing.T) {
	for _, c := range []struct {
		name         string
		p            Params
		equal, worst float64 // idle share of the time, at equal speeds and at others
	}{
		{"two rows of tiles for each of two workers, in memory", Params{Problem: Problem{4096, 4096, 4096}, Down: 4, Across: 1, Taper: TaperFor(2, OfStored)}, 0.005, 0.06},
		{"sixteen tiles in panels", Params{Problem: Problem{4096, 4096, 4096}, Down: 8, Across: 2, Taper: TaperFor(2, OfPanels)}, 0.005, 0.02},
		{"four workers", Params{Problem: Problem{8192, 8192, 8192}, Down: 8, Across: 2, Taper: TaperFor(4, OfPanels)}, 0.005, 0.05},
		{"a tile for each of two workers, which is left whole", Params{Problem: Problem{2048, 2048, 2048}, Down: 2, Across: 1, Taper: TaperFor(2, OfStored)}, 0.005, 0.25},
	} {
		c.p.MR, c.p.NR, c.p.Slice = 8, 24, 1
		pl, err := New(c.p)
		if err != nil {
			t.Fatal(err)
		}
		idle := func(speeds ...float64) float64 {
			at := ends(pl, speeds)
			last, waits := slices.Max(at), 0.0
			for _, end := range at {
				waits += last - end
			}
			return waits / (last * float64(len(at)))
		}
		speeds := slices.Repeat([]float64{1}, int(c.p.Taper.Workers))
		if got := idle(speeds...); got > c.equal {
			t.Errorf("%s: workers of the same speed idle for %.3f of the time, at most %.3f is expected", c.name, got, c.equal)
		}
		for slow := 0.6; slow < 1; slow += 0.01 {
			speeds[0] = slow
			if got := idle(speeds...); got > c.worst {
				t.Errorf("%s: beside one of speed %.2f workers idle for %.3f of the time, at most %.3f is expected", c.name, slow, got, c.worst)
			}
		}
	}
}

func TestPartsOfTilesAreWorthIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t)
		whole, cut := p, p
		whole.Taper = Taper{}
		a, err := New(whole)
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(cut)
		if err != nil {
			t.Fatal(err)
		}
		if max := a.Tasks() + int(p.Taper.Workers)*(mostSlices-1); b.Tasks() > max {
			t.Fatalf("%d tasks became %d, more than %d", a.Tasks(), b.Tasks(), max)
		}
		for _, e := range b.tasks {
			if e.slices < 2 {
				continue
			}
			r, least := b.tile(e), float64(e.slices)
			if e.halves {
				least *= 2
			}
			if flops := 2 * float64(r.Rows()*r.Cols()*p.K) / least; flops < p.Taper.Flops {
				t.Fatalf("%v is cut into %v parts, the least of %v operations, %v are asked for", r, e.parts(), flops, p.Taper.Flops)
			}
			part := b.partOf(e)
			side := part.Cols()
			if r.Rows() > r.Cols() {
				side = part.Rows()
			}
			if e.halves {
				side = min(part.Rows(), part.Cols())
			}
			if last := part.R1 == r.R1 && part.C1 == r.C1; side < p.Taper.Side && !last {
				t.Fatalf("%v is cut into parts such as %v: a side of %d is asked for", r, part, p.Taper.Side)
			}
		}
	})
}
