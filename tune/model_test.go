package tune

import (
	"testing"

	"matmul/internal/elem"
	"matmul/internal/gemm"
)

// kernelOf describes a kernel of that shape, whether the machine has it or not.
func kernelOf(isa gemm.ISA, t elem.Type, mr, nr int) *gemm.Kernel {
	return &gemm.Kernel{ISA: isa, Type: t, MR: mr, NR: nr, Blocking: gemm.Blocking{MC: 256, KC: 384, NC: 8 * nr}}
}

func TestThreeSquareTilesFitTheCacheAndFourDoNot(t *testing.T) {
	for _, c := range []struct {
		cache int64
		size  int
		want  int64
	}{{32 << 10, 8, 36}, {1 << 20, 8, 209}, {1 << 20, 4, 295}, {16 << 20, 8, 836}} {
		got := SquareTile(c.cache, c.size)
		if got != c.want || 3*got*got*int64(c.size) > c.cache || 3*(got+1)*(got+1)*int64(c.size) <= c.cache {
			t.Errorf("%d bytes of %d-byte elements hold tiles of side %d, want %d", c.cache, c.size, got, c.want)
		}
	}
}

// Sandy Bridge multiplies and adds in 8 cycles together, Haswell fuses them in
// 5, twice a cycle.
func TestRegisterBlocksHideTheLatency(t *testing.T) {
	for _, c := range []struct {
		what                     string
		lanes, latency, perCycle int
		mr, nr                   int
		least                    int
	}{
		{"Sandy Bridge, float64 by 4", 4, 8, 1, 4, 8, 32},
		{"Haswell, float64 by 4", 4, 5, 2, 5, 8, 40},
		{"AVX-512, float64 by 8, one unit", 8, 4, 1, 4, 8, 32},
		{"AVX-512, float32 by 16, two units", 16, 4, 2, 8, 16, 128},
	} {
		mr, nr := RegisterBlock(c.lanes, c.latency, c.perCycle)
		if mr != c.mr || nr != c.nr || mr*nr < c.least {
			t.Errorf("%s: %d×%d, want %d×%d", c.what, mr, nr, c.mr, c.nr)
		}
	}
}

func TestLowsBlocksAreThoseWorkedOutByHand(t *testing.T) {
	zen4 := [3]Level{{32 << 10, 8, 64}, {1 << 20, 8, 64}, {16 << 20, 8, 64}}
	for _, c := range []struct {
		what string
		k    *gemm.Kernel
		l    [3]Level
		want gemm.Blocking
	}{
		// Level 1 has 7 ways left, 5 of them for 24 of 32 lanes: 5·4096/(24·8)
		// = 106 steps. A resting micro-panel takes 1 way of level 2, so that
		// 6·131072/(104·8) columns fit; of level 3, 6 ways of 2 MiB.
		{"avx512 float64 on Zen 4", kernelOf(gemm.AVX512, elem.Float64, 8, 24), zen4, gemm.Blocking{MC: 14832, KC: 104, NC: 912}},
		{"avx2 float64 on Zen 4", kernelOf(gemm.AVX2, elem.Float64, 6, 8), zen4, gemm.Blocking{MC: 6144, KC: 256, NC: 384}},
		{"a level 1 of one way", kernelOf(gemm.AVX2, elem.Float64, 6, 8), [3]Level{{32 << 10, 1, 64}, {1 << 20, 8, 64}, {}}, gemm.Blocking{MC: 384, KC: 256, NC: 384}},
	} {
		if got := Low(c.k, c.l); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}

func TestTheGuessKeepsToTheSharesOfTheCaches(t *testing.T) {
	for _, r := range recordings(t) {
		m, l := r.extract(t).Detect()
		share := l.WorkerCaches(m, l.Workers(m).N)
		for _, k := range []*gemm.Kernel{
			kernelOf(gemm.AVX512, elem.Float64, 8, 24), kernelOf(gemm.AVX512, elem.Float32, 8, 48),
			kernelOf(gemm.AVX2, elem.Float64, 6, 8), kernelOf(gemm.AVX2, elem.Float32, 6, 16),
			kernelOf(gemm.Generic, elem.Float64, 4, 4), kernelOf(gemm.Generic, elem.Float32, 4, 4),
		} {
			b, size := Guess(k, share), int64(k.Type.Size())
			if resting := int64(k.MR*b.KC) * size; resting > share.L1*3/4 && b.KC > 8 {
				t.Errorf("%s, %v: a micro-panel of A takes %d of %d bytes of level 1", r.name, k, resting, share.L1)
			}
			if block := int64(b.KC*b.NC) * size; block > share.L2*3/4 && b.NC > k.NR {
				t.Errorf("%s, %v: the block of B takes %d of %d bytes of level 2", r.name, k, block, share.L2)
			}
			c := Untuned(k, share)
			c.MC, c.KC, c.NC = b.MC, b.KC, b.NC
			if err := c.Check(k); err != nil {
				t.Errorf("%s, %v: %v", r.name, k, err)
			}
			low := Low(k, m.Levels(share))
			if low.MC < k.MR || low.KC < 4 || low.NC < k.NR || low.MC%k.MR+low.NC%k.NR != 0 {
				t.Errorf("%s, %v: Low's blocks are %+v", r.name, k, low)
			}
		}
	}
}

func TestTheGuessOnTheMeasuredMachine(t *testing.T) {
	share := CacheSizes{32 << 10, 1 << 20, 16 << 20}
	for _, c := range []struct {
		k    *gemm.Kernel
		want gemm.Blocking
	}{
		{kernelOf(gemm.AVX512, elem.Float64, 8, 24), gemm.Blocking{MC: 2912, KC: 360, NC: 192}},
		{kernelOf(gemm.AVX512, elem.Float32, 8, 48), gemm.Blocking{MC: 4096, KC: 512, NC: 240}},
		{kernelOf(gemm.AVX2, elem.Float64, 6, 8), gemm.Blocking{MC: 2910, KC: 360, NC: 184}},
		{kernelOf(gemm.AVX2, elem.Float32, 6, 16), gemm.Blocking{MC: 4092, KC: 512, NC: 256}},
	} {
		if got := Guess(c.k, share); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.k, got, c.want)
		}
	}
}

func TestFamiliesDifferByTheirLevel2Cache(t *testing.T) {
	k := kernelOf(gemm.AVX512, elem.Float64, 8, 24)
	if b, _ := FamilyBlocking(k, CacheSizes{32 << 10, 1 << 20, 16 << 20}); b != k.Blocking {
		t.Errorf("1 MiB of level 2: %+v, want the kernel's own", b)
	}
	small := CacheSizes{32 << 10, 256 << 10, 2 << 20}
	if b, _ := FamilyBlocking(k, small); b != Guess(k, small) || b == k.Blocking {
		t.Errorf("256 KiB of level 2: %+v, want the model's guess", b)
	}
}

func TestTrafficIsWhatPassesMemory(t *testing.T) {
	b := gemm.Blocking{MC: 512, KC: 384, NC: 192}
	// A once, B twice, since 1000 rows are two times 512, and C out and back.
	if got, want := MemoryTraffic(8, b, 1000, 200, 300), 8.*(1000*300+2*300*200+2*1000*200); got != want {
		t.Errorf("%g bytes, want %g", got, want)
	}
}
