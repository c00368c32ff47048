package tune

import (
	"cmp"
	"math"
	"slices"
	"time"

	"matmul/internal/gemm"
)

// The search stays within these multiples of what the model says.
const (
	leastOfModel = 0.25
	mostOfModel  = 8
)

// blocks proposes macro-kernel blocks: the untuned ones, what the models say,
// what was found before, and a grid around the guess. Kernels other than the
// usual one come in with what is best for them by the model.
func (s *Search) blocks(best Choice) (arms []Candidate) {
	add := func(c Choice, why string) { arms = append(arms, Candidate{Choice: c, Why: why}) }
	for i, k := range s.Kernels {
		untuned := Untuned(k, s.Share)
		untuned.HugePages, untuned.Spin = best.HugePages, best.Spin
		if add(untuned, "untuned"); i == 0 {
			add(with(untuned, Guess(k, s.Share)), "model")
		}
	}
	if s.Found != nil {
		add(*s.Found, "found before")
	}
	k := s.Kernels[0]
	untuned, guess := arms[0].Choice, Guess(k, s.Share)
	add(with(untuned, limited(Low(k, s.Levels), guess, k)), "model of Low et al.")
	for _, b := range around(guess, k) {
		add(with(untuned, b), "blocks")
	}
	return arms
}

func with(c Choice, b gemm.Blocking) Choice {
	c.MC, c.KC, c.NC = b.MC, b.KC, b.NC
	return c
}

// around returns a grid of blocks about a guess, the nearest first.
func around(guess gemm.Blocking, k *gemm.Kernel) (all []gemm.Blocking) {
	type point struct{ mc, kc, nc float64 }
	var points []point
	for _, kc := range []float64{0.5, 0.71, 1, 1.41, 2} {
		for _, nc := range []float64{0.5, 1, 2} {
			for _, mc := range []float64{0.25, 1} {
				points = append(points, point{mc, kc, nc})
			}
		}
	}
	far := func(p point) float64 {
		return math.Abs(math.Log2(p.mc))/2 + math.Abs(math.Log2(p.kc)) + math.Abs(math.Log2(p.nc))
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(far(a), far(b)) })
	for _, p := range points {
		all = append(all, scaled(guess, p.mc, p.kc, p.nc, k))
	}
	return all
}

// scaled multiplies blocks, to whole micro-panels.
func scaled(b gemm.Blocking, mc, kc, nc float64, k *gemm.Kernel) gemm.Blocking {
	return gemm.Blocking{
		MC: multiple(mc*float64(b.MC), k.MR),
		KC: multiple(kc*float64(b.KC), 8),
		NC: multiple(nc*float64(b.NC)+float64(k.NR)/2, k.NR),
	}
}

// limited brings blocks into the range about a guess that is searched.
func limited(b, guess gemm.Blocking, k *gemm.Kernel) gemm.Blocking {
	clamp := func(v, g, unit int) int {
		return multiple(min(max(float64(v), leastOfModel*float64(g)+float64(unit)-1), mostOfModel*float64(g)), unit)
	}
	return gemm.Blocking{MC: clamp(b.MC, guess.MC, k.MR), KC: clamp(b.KC, guess.KC, 4), NC: clamp(b.NC, guess.NC, k.NR)}
}

// refined proposes the neighbours of the best blocks so far.
func (s *Search) refined(best Choice) (arms []Candidate) {
	k := s.kernel(best)
	guess := Guess(k, s.Share)
	for _, f := range [][3]float64{
		{1, 0.8, 1}, {1, 1.25, 1}, {1, 1, 0.75}, {1, 1, 1.34}, {0.5, 1, 1}, {2, 1, 1}, {1, 0.8, 1.25}, {1, 1.25, 0.75},
	} {
		b := limited(scaled(best.Blocking(), f[0], f[1], f[2], k), guess, k)
		arms = append(arms, Candidate{Choice: with(best, b), Why: "neighbour"})
	}
	return arms
}

// kernel returns the kernel of a choice.
func (s *Search) kernel(c Choice) *gemm.Kernel {
	for _, k := range s.Kernels {
		if k.ISA.String() == c.ISA {
			return k
		}
	}
	return s.Kernels[0]
}

// tiles proposes how C is cut, and in which order its tiles are handed out.
func (s *Search) tiles(best Choice) (arms []Candidate) {
	add := func(tileM, tileN int64, tasks int, order string) {
		c := best
		c.TileM, c.TileN, c.Tasks, c.Order = tileM, tileN, tasks, order
		arms = append(arms, Candidate{Choice: c, Why: "tile"})
	}
	add(0, 0, 0, ByColumns)
	for _, tasks := range []int{1, 2, 4, 8} {
		add(0, 0, tasks, ByRows)
	}
	add(0, 0, 8, ByColumns)
	side := SquareTile(s.Share.L3, s.Kernels[0].Type.Size())
	if s.Share.L3 == 0 {
		side = SquareTile(s.Share.L2, s.Kernels[0].Type.Size())
	}
	for _, f := range []int64{1, 2} {
		side := min(max(f*side, minTile), maxTile)
		add(side, side, 0, ByRows)
	}
	add(512, 2048, 0, ByRows)
	return arms
}

// pools proposes what the processes and their memory are like.
func (s *Search) pools(best Choice) (arms []Candidate) {
	add := func(huge bool, spin time.Duration) {
		c := best
		c.HugePages, c.Spin = huge, spin
		arms = append(arms, Candidate{Choice: c, Why: "pool"})
	}
	add(!best.HugePages, best.Spin)
	for _, spin := range []time.Duration{0, DefaultSpin, 4 * DefaultSpin} {
		add(best.HugePages, spin)
	}
	return arms
}

// grid proposes what the user does, and the model's guess.
func (s *Search) grid(Choice) (arms []Candidate) {
	for _, c := range s.Grid {
		arms = append(arms, Candidate{Choice: c, Why: "grid"})
	}
	untuned := Untuned(s.Kernels[0], s.Share)
	return append(arms, Candidate{Choice: untuned, Why: "untuned"},
		Candidate{Choice: with(untuned, Guess(s.Kernels[0], s.Share)), Why: "model"})
}
