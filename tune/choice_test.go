package tune

import (
	"testing"

	"pgregory.net/rapid"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/tiling"
)

func TestNoChoiceOfTileLeavesWorkersIdle(t *testing.T) {
	k := kernelOf(gemm.AVX512, elem.Float64, 8, 24)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 5000)
		p := tiling.Problem{M: size.Draw(t, "m"), N: size.Draw(t, "n"), K: size.Draw(t, "k")}
		workers := rapid.IntRange(1, 64).Draw(t, "workers")
		c := Choice{Tasks: rapid.IntRange(1, 32).Draw(t, "tasks")}
		if rapid.Bool().Draw(t, "fixed") {
			side := rapid.Int64Range(minTile, 4096)
			c.TileM, c.TileN = side.Draw(t, "tile rows"), side.Draw(t, "tile columns")
		}
		m, n := c.Tile(p, k, workers)
		blocks := ceilDiv(p.M, 8) * ceilDiv(p.N, 24)
		if m < 1 || n < 1 || m%8 != 0 || n%24 != 0 {
			t.Fatalf("tile %d×%d", m, n)
		}
		if got := tiling.Tiles(p.M, m) * tiling.Tiles(p.N, n); got < min(int64(workers), blocks)/4 {
			t.Fatalf("%d tiles of %d×%d for %d workers", got, m, n, workers)
		}
	})
}

func TestTilesOfAChoice(t *testing.T) {
	k := kernelOf(gemm.AVX512, elem.Float64, 8, 24)
	cube := func(n int64) tiling.Problem { return tiling.Problem{M: n, N: n, K: n} }
	for _, c := range []struct {
		what string
		c    Choice
		p    tiling.Problem
		w    int
		m, n int64
	}{
		{"nothing chosen", Choice{}, cube(2048), 2, 0, 0},
		{"one task each: all columns", Choice{Tasks: 1}, cube(2048), 2, 1024, 2064},
		{"four tasks each: rows first", Choice{Tasks: 4}, cube(2048), 2, 256, 2064},
		{"eight tasks each: then columns", Choice{Tasks: 8}, cube(2048), 2, 256, 1032},
		{"a fixed tile", Choice{TileM: 512, TileN: 768}, cube(2048), 2, 512, 768},
		{"a fixed tile larger than C", Choice{TileM: 4096, TileN: 4096}, cube(1024), 2, 512, 1032},
		{"a fixed tile for few rows", Choice{TileM: 512, TileN: 512}, tiling.Problem{M: 8, N: 512, K: 9}, 2, 8, 264},
		{"an empty C", Choice{Tasks: 2}, tiling.Problem{M: 0, N: 5, K: 5}, 2, 0, 0},
	} {
		if m, n := c.c.Tile(c.p, k, c.w); m != c.m || n != c.n {
			t.Errorf("%s: %d×%d, want %d×%d", c.what, m, n, c.m, c.n)
		}
	}
}

func TestAChoiceIsDescribedByWhatIsUnusual(t *testing.T) {
	k := kernelOf(gemm.AVX512, elem.Float64, 8, 24)
	c := Untuned(k, CacheSizes{32 << 10, 1 << 20, 16 << 20})
	if want := "avx512 MC 256 KC 384 NC 192"; c.String() != want {
		t.Errorf("%q, want %q", c, want)
	}
	c.TileM, c.TileN, c.Order, c.HugePages, c.Spin = 512, 1024, ByColumns, false, 0
	if want := "avx512 MC 256 KC 384 NC 192 tile 512×1024 by columns small pages spin 0s"; c.String() != want {
		t.Errorf("%q, want %q", c, want)
	}
}
