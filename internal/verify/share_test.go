package verify

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// A meeting is what processes that share a check exchange through, here
// goroutines.
type meeting struct {
	mu      sync.Mutex
	met     *sync.Cond
	count   int
	arrived int
	turn    int
	err     error
	vectors [][]float64 // of this turn, complete when all have arrived
}

func newMeeting(count int) *meeting {
	m := &meeting{count: count}
	m.met = sync.NewCond(&m.mu)
	return m
}

// share returns the share of the process with an index.
func (m *meeting) share(index int) *Share {
	s := &Share{Index: index, Count: m.count}
	s.Exchange = func(err error, vectors ...[]float64) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.arrived == 0 {
			m.vectors = make([][]float64, len(vectors))
			for i, v := range vectors {
				m.vectors[i] = make([]float64, len(v))
			}
		}
		m.err = errors.Join(m.err, err)
		for i, v := range vectors {
			from, to := s.part(int64(len(v)))
			copy(m.vectors[i][from:to], v[from:to])
		}
		turn, all := m.turn, m.vectors
		if m.arrived++; m.arrived == m.count {
			m.arrived, m.turn = 0, m.turn+1
			m.met.Broadcast()
		}
		for m.turn == turn {
			m.met.Wait()
		}
		for i, v := range vectors {
			copy(v, all[i])
		}
		return m.err
	}
	return s
}

// shared runs a method on the sample in so many shares.
func (s *sample) shared(t testing.TB, method Method, o Options, count int) ([]Report, []error) {
	p := s.open(t)
	defer closeAll(p)
	m := newMeeting(count)
	rs, errs := make([]Report, count), make([]error, count)
	var all sync.WaitGroup
	for i := range count {
		o := o
		o.Share = m.share(i)
		all.Go(func() { rs[i], errs[i] = Run(context.Background(), method, p, o) })
	}
	all.Wait()
	return rs, errs
}

// TestSharesSumUpToTheWholeCheck: of right products and wrong ones, in whatever
// order they are stored. Worker counts are fixed, since sums depend on them.
func TestSharesSumUpToTheWholeCheck(t *testing.T) {
	checks(t, "1000")
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSample(rt)
		if len(s.c.data) > 0 && rapid.Bool().Draw(rt, "wrong") {
			at := rapid.IntRange(0, len(s.c.data)-1).Draw(rt, "at")
			s.c = s.flip(at, rapid.IntRange(0, 63).Draw(rt, "bit"))
		}
		count := rapid.IntRange(1, 9).Draw(rt, "shares")
		o := Options{Seed: 1 + rapid.Uint64Max(1<<60).Draw(rt, "seed"), Workers: 1}
		for _, method := range methods {
			want := s.verdict(t, method, o)
			rs, errs := s.shared(t, method, o, count)
			if err := errors.Join(errs...); err != nil {
				rt.Fatal(err)
			}
			got := Sum(rs)
			if method == Freivalds && got.Defined+want.Defined > 0 {
				// Each share settles its own rows, and what the whole check shows of
				// them it shows if it has nothing else.
				if got.OK != want.OK || want.OK && got.Defined != want.Defined {
					rt.Fatalf("%d shares: %+v, want %+v", count, got, want)
				}
				continue
			}
			got.Elapsed, want.Elapsed = 0, 0
			if !reflect.DeepEqual(bits(got), bits(want)) {
				rt.Fatalf("%s in %d shares: %+v, want %+v", method, count, got, want)
			}
		}
	})
}

// TestAnErrorOfOneShareEndsAll: they do not wait for what never comes.
func TestAnErrorOfOneShareEndsAll(t *testing.T) {
	s := newSample(types[0], zeros(5, 6), zeros(6, 4), zeros(5, 4), 1, 0)
	p := s.open(t)
	defer closeAll(p)
	if err := p.B.File.Truncate(p.B.Offset + 8); err != nil {
		t.Fatal(err)
	}
	m := newMeeting(3)
	var all sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		all.Go(func() { _, errs[i] = Run(context.Background(), Freivalds, p, Options{Seed: 1, Share: m.share(i)}) })
	}
	all.Wait()
	for i, err := range errs {
		if err == nil {
			t.Errorf("share %d saw no error", i)
		}
	}
}

// bits returns a report whose numbers can be compared: NaN equals NaN.
func bits(r Report) Report {
	for _, d := range []*Difference{&r.Worst, &r.Element} {
		for _, v := range []*float64{&d.Got, &d.Want, &d.Error, &d.Bound} {
			if *v != *v {
				*v = 0x1.234567p100
			}
		}
	}
	return r
}
