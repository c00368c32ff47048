package verify

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"matmul/internal/elem"
)

// freivalds compares Cx with αA(Bx) + βC0x for x ∈ {±1}ⁿ drawn at random
// (R. Freivalds, "Probabilistic machines can use less running time", IFIP
// 1977): products of a matrix and a vector, instead of one of matrices.
//
// What it overlooks: errors below the row's bound, which grows with n. A
// single error in a row is found for certain if it exceeds twice the bound.
// Several may cancel: two of one size do so in half of all cases, and that is
// the worst, because given all other signs at most one sign of an error of
// more than twice the bound hides the row. So a C with such an error passes r
// rounds with a probability of at most 2⁻ʳ.
func (j *job) freivalds(ctx context.Context, o Options) (Report, error) {
	if j.prec.t == elem.Float32 {
		return runFreivalds[float32](ctx, j, o)
	}
	return runFreivalds[float64](ctx, j, o)
}

func runFreivalds[T elem.Float](ctx context.Context, j *job, o Options) (Report, error) {
	r := Report{Rounds: max(o.Rounds, 1), Seed: o.Seed, Worst: nothing, Element: nothing}
	for r.Seed == 0 {
		r.Seed = rand.Uint64()
	}
	f := newRows(j)
	s := newStream[T](ctx, j, o, r.Rounds)
	defer s.release()
	t := newTally()
	for round := 0; round < r.Rounds && (t.wrong == 0 || o.Share != nil); round++ {
		signs(f.x, r.Seed, uint64(round))
		if err := evaluate(s, f); err != nil {
			return r, err
		}
		f.compare(&t)
	}
	r.Worst, r.Element, r.Wrong = t.worst, t.worst, t.wrong
	return r, f.settle(ctx, o, s.meter, &r)
}

// signs fills x with ±1, one bit of the generator each.
func signs(x []float64, seed, round uint64) {
	source := rand.NewPCG(seed, round)
	var word uint64
	for i := range x {
		if i%64 == 0 {
			word = source.Uint64()
		}
		x[i] = math.Copysign(1, float64(int64(word)))
		word <<= 1
	}
}

// passB fills f's Bx and |B|·1: a share of them from the file.
func (s *stream[T]) passB(f *rows) error {
	from, to := s.share.part(f.j.k)
	b := f.j.b.part(from, to)
	err := s.pass(&b, f.bx[from:to], f.b1[from:to], f.x, nil)
	if s.share == nil {
		return err
	}
	return s.share.Exchange(err, f.bx, f.b1)
}

// evaluate fills f's vectors for its x by one pass over each file.
func evaluate[T elem.Float](s *stream[T], f *rows) error {
	j := f.j
	if j.product {
		if err := s.passB(f); err != nil {
			return err
		}
		if err := s.pass(&j.a, f.abx, f.ab1, f.bx, f.b1); err != nil {
			return err
		}
		// The bound shows an overflow of α·a, unless b makes it small again.
		if j.scaled() && f.a1 == nil && slices.Min(f.b1) < 1 {
			f.a1 = make([]float64, j.m)
			s.meter.grow(j.m * j.k)
			if err := s.pass(&j.a, make([]float64, j.m), f.a1, f.bx, nil); err != nil {
				return err
			}
		}
	}
	if j.beta != 0 {
		if err := s.pass(&j.c0, f.c0x, f.c01, f.x, nil); err != nil {
			return err
		}
	}
	return s.pass(&j.c, f.cx, nil, f.x, nil)
}
