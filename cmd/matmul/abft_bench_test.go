package main

import (
	"encoding/json"
	"slices"
	"testing"
)

// BenchmarkABFT is what --abft costs at n = 4096, in percent: each turn measures
// the product without and with it, in an order that changes, and the median of
// the turns' ratios counts. From memory the time is that of `bench`, from files
// that of packing, multiplying and storing in `run`.
//
//	go test -run '^$' -bench ABFT -benchtime 15x -timeout 0 ./cmd/matmul
func BenchmarkABFT(b *testing.B) {
	for _, dtype := range []string{"float64", "float32"} {
		b.Run(dtype+"/memory", func(b *testing.B) {
			withAndWithout(b, func(more ...string) float64 {
				var r benchResult
				printed(b, "", &r, append([]string{"bench", "--sizes", "4096", "--reps", "2", "--dtype", dtype, "--json"}, more...)...)
				return r.Median
			})
		})
		b.Run(dtype+"/files", func(b *testing.B) {
			dir := b.TempDir()
			for i, name := range []string{"a.npy", "b.npy"} {
				if err := command(dir, "gen", "-o", name, "--rows", "4096", "--cols", "4096", "--dtype", dtype, "--seed", string(rune('1'+i))).Run(); err != nil {
					b.Fatal(err)
				}
			}
			withAndWithout(b, func(more ...string) float64 {
				var r report
				printed(b, dir, &r, append([]string{"run", "a.npy", "b.npy", "-o", "c.npy", "--force", "--verify", "none", "--json"}, more...)...)
				return r.Seconds.Pack + r.Seconds.Multiply + r.Seconds.Store
			})
		})
	}
}

// withAndWithout reports how much longer once takes with --abft.
func withAndWithout(b *testing.B, once func(more ...string) float64) {
	var more, seconds []float64
	for turn := 0; b.Loop(); turn++ {
		var took [2]float64
		for i := range took {
			if i == turn%2 {
				took[0] = once()
			} else {
				took[1] = once("--abft")
			}
		}
		more = append(more, 100*(took[1]/took[0]-1))
		seconds = append(seconds, took[0])
	}
	slices.Sort(more)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(seconds), "s")
	b.ReportMetric(median(more), "%more")
	b.ReportMetric(more[len(more)/4], "%more-quarter")
	b.ReportMetric(more[len(more)*3/4], "%more-three-quarters")
}

// printed runs a command and reads the JSON that it prints.
func printed(b *testing.B, dir string, to any, args ...string) {
	b.Helper()
	out, err := command(dir, args...).Output()
	if err == nil {
		err = json.Unmarshal(out, to)
	}
	if err != nil {
		b.Fatalf("matmul %q: %v", args, err)
	}
}
