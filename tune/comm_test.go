package tune

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestALineIsFoundInItsOwnSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Line{rapid.Float64Range(1e-7, 1e-3).Draw(t, "sigma"), rapid.Float64Range(1e8, 1e11).Draw(t, "bandwidth")}
		var samples []Sample
		for x := int64(64); x <= 16<<20; x *= 2 {
			samples = append(samples, Sample{x, want.Time(float64(x))})
		}
		got := FitLine(samples)
		if off := got.Misses(samples, 0); off > 1e-6 {
			t.Fatalf("%+v fitted as %+v, off by %g", want, got, off)
		}
	})
}

func TestAFewWildSamplesDoNotBendALine(t *testing.T) {
	want := Line{20e-6, 5e9}
	var samples []Sample
	for x := int64(64); x <= 16<<20; x *= 2 {
		samples = append(samples, Sample{x, want.Time(float64(x))})
	}
	samples[3].Seconds *= 30
	samples[12].Seconds *= 10
	samples[17].Seconds /= 4
	if got := FitLine(samples); math.Abs(got.Sigma/want.Sigma-1) > 0.05 || math.Abs(got.Bandwidth/want.Bandwidth-1) > 0.05 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestLinesThatMakeNoSenseAreNotFitted(t *testing.T) {
	for what, samples := range map[string][]Sample{
		"larger is faster": {{64, 3e-6}, {1024, 2e-6}, {4096, 1e-6}},
		"no overhead":      {{64, 1e-12}, {1024, 1e-6}, {4096, 4.2e-6}},
		"all alike":        {{64, 1e-6}, {1024, 1e-6}, {4096, 1e-6}},
	} {
		l := FitLine(samples)
		if !(l.Sigma >= 0) || !(l.Bandwidth > 0) || math.IsInf(l.Bandwidth, 0) {
			t.Errorf("%s: %+v", what, l)
		}
	}
}

func TestTheThresholdIsWhereBothCostTheSame(t *testing.T) {
	socket, shared := Line{2e-6, 2e9}, Line{3e-6, 8e9}
	x, ok := Crossing(socket, shared)
	if !ok || math.Abs(socket.Time(x)/shared.Time(x)-1) > 1e-9 || math.Abs(x-1e-6/(1/2e9-1/8e9)) > 1e-6 {
		t.Errorf("x* = %g, %v", x, ok)
	}
	if _, ok := Crossing(Line{2e-6, 2e9}, Line{1e-6, 8e9}); ok {
		t.Error("one is faster at every size, and yet they cross")
	}
	if _, ok := Crossing(socket, socket); ok {
		t.Error("equal lines cross")
	}
}

func TestSizesThatAreWorthAMessage(t *testing.T) {
	const sigma, rate = 1e-6, 50e9
	b := SmallestTile(sigma, rate, 0.001, 0)
	if share := sigma / (2 * math.Pow(float64(b), 3) / rate); share > 0.001 || b != 293 {
		t.Errorf("a tile of side %d has %g of overhead", b, share)
	}
	if b := SmallestTile(sigma, rate, 0.001, 4096); 2*float64(b*b)*4096/rate < sigma/0.001 || b != 79 {
		t.Errorf("with k = 4096 the side is %d", b)
	}
	alone := AloneBelow(30e-6, rate, 2)
	if t1, t2 := alone/rate, alone/(2*rate)+30e-6; math.Abs(t1/t2-1) > 1e-9 {
		t.Errorf("at %g flop alone takes %g s, shared %g s", alone, t1, t2)
	}
	if n := Cube(alone); math.Abs(n-114.5) > 0.1 {
		t.Errorf("n = %g", n)
	}
	if !math.IsInf(AloneBelow(30e-6, rate, 1), 1) {
		t.Error("one worker is sometimes faster than the master alone")
	}
}
