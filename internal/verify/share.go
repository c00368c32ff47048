package verify

// A Share is what one of several processes does of a check: it compares one of
// Count parts of the rows of C, about equally many each. All have the same problem,
// method, Rounds and Seed, which is not 0. The sum of their reports is [Sum].
type Share struct {
	Index, Count int
	// Exchange is called at the same points by all processes, as far as they need
	// each other, and ends them all if one gives an error. Each has computed its
	// Part of the vectors; it brings them the others'.
	Exchange func(err error, vectors ...[]float64) error
}

// Part returns which of n elements the share with the index has.
func (s *Share) Part(n int64, index int) (from, to int64) {
	count := int64(s.Count)
	return split64(n, count, int64(index)), split64(n, count, int64(index)+1)
}

// part returns which of n elements this share has.
func (s *Share) part(n int64) (from, to int64) {
	if s == nil {
		return 0, n
	}
	return s.Part(n, s.Index)
}

// Sum returns the report of the whole check, of which rs are those of the shares.
func Sum(rs []Report) Report {
	sum := rs[0]
	for _, r := range rs[1:] {
		if r.Worst.Row >= 0 && r.Worst.worse(sum.Worst) {
			sum.Worst, sum.Element = r.Worst, r.Element
		}
		sum.Wrong, sum.Defined = sum.Wrong+r.Wrong, sum.Defined+r.Defined
		sum.Elapsed = max(sum.Elapsed, r.Elapsed)
	}
	sum.OK = sum.Wrong == 0
	return sum
}
