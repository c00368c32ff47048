package verify

import (
	"math"
	"testing"

	"matmul/internal/elem"
)

func TestGammaIsInfiniteWhereItSaysNothing(t *testing.T) {
	const u = 0x1p-24
	for n, want := range map[float64]float64{0: 0, 1: u / (1 - u), 1 << 23: 1, 1<<23 + 1: math.Inf(1), 1 << 40: math.Inf(1)} {
		if got := gamma(n, u); got != want {
			t.Errorf("gamma(%v) = %v, want %v", n, got, want)
		}
	}
	if got := gamma(math.NaN(), u); !math.IsInf(got, 1) {
		t.Errorf("gamma(NaN) = %v", got)
	}
}

func TestABoundThatIsNotFiniteJudgesNothing(t *testing.T) {
	for _, typ := range types {
		p := precisionOf(typ)
		for _, c := range []struct {
			bound, g float64
			want     bool
		}{
			{0, 0, true}, {1, p.max / 4, true}, {1, p.max, false}, {math.Inf(1), 1, false},
			{math.NaN(), 1, false}, {1, math.NaN(), false}, {1, math.Inf(1), false},
		} {
			if got := p.judges(c.bound, c.g); got != c.want {
				t.Errorf("%v judges(%v, %v) = %v", typ, c.bound, c.g, got)
			}
		}
	}
}

func TestRoundIsThatOfTheType(t *testing.T) {
	if precisionOf(elem.Float32).round(0.1) != float64(float32(0.1)) || precisionOf(elem.Float64).round(0.1) != 0.1 {
		t.Error("round is of another type")
	}
}

func TestTheWorstDoesNotDependOnTheOrder(t *testing.T) {
	ds := []Difference{
		compareBound(3, 1, 1, 1.5, 1), compareBound(2, 7, 1, 1.5, 1), compareBound(0, 0, 0, 0, 0),
		compareBits(4, 4, 1, 2), compareBits(4, 3, 1, 2), compareBits(0, 1, math.NaN(), 2), compareBits(0, 2, math.Copysign(0, -1), 0),
	}
	for first := range ds {
		ts := newTallies(2)
		for i := range ds {
			ts[i%2].add(ds[(i+first)%len(ds)])
		}
		if all := merge(ts); all.worst.Col != 1 || all.worst.Row != 0 || all.wrong != 4 || all.count != 7 {
			t.Errorf("from %d: %+v", first, all)
		}
	}
}
