package matmul_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
)

func TestZZ(t *testing.T) {
	b := &testing.B{}
	p := pool(b)
	ty := elem.Float64
	if os.Getenv("TYPE") == "float32" {
		ty = elem.Float32
	}
	isa := gemm.AVX512
	if os.Getenv("ISA") == "avx2" {
		isa = gemm.AVX2
	}
	var m, n, kk int64
	if c, _ := fmt.Sscanf(os.Getenv("N"), "%dx%dx%d", &m, &n, &kk); c == 1 {
		n, kk = m, m
	}
	var reps int
	fmt.Sscan(os.Getenv("R"), &reps)
	k, _ := gemm.Lookup(isa, ty)
	ctx := context.Background()
	op := func(rows, cols int64) master.Operand {
		return master.Operand{Matrix: shmmat.Matrix{Rows: rows, Cols: cols, LD: cols, Type: ty}}
	}
	var plans []*master.Plan
	var names []string
	for _, c := range strings.Fields(os.Getenv("C")) {
		var tm, tn int64
		var bl gemm.Blocking
		fmt.Sscanf(c, "%d,%d,%d,%d,%d", &tm, &tn, &bl.MC, &bl.KC, &bl.NC)
		pl, err := master.NewPlan(master.Spec{Type: ty, Alpha: 1, Kernel: k, A: op(m, kk), B: op(kk, n), TileM: tm, TileN: tn, Blocking: bl}, p.Workers())
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, pl)
		tm, tn = pl.TileM, pl.TileN
		names = append(names, fmt.Sprintf("%s (%d tiles of %dx%d)", c, pl.Tasks(), tm, tn))
	}
	if err := p.Reserve(ctx, plans...); err != nil {
		t.Fatal(err)
	}
	res := make([][]float64, len(plans))
	for r := range reps + 1 {
		for i, pl := range plans {
			j, err := p.Prepare(ctx, pl)
			if err != nil {
				t.Fatal(err)
			}
			if r == 0 && i == 0 {
				for _, rg := range []shmmat.Region{shmmat.RowsA, shmmat.RowsB} {
					if ty == elem.Float32 {
						x, _ := master.Elements[float32](j, rg)
						for i := range x {
							x[i] = float32(i%7) - 3
						}
					} else {
						x, _ := master.Elements[float64](j, rg)
						for i := range x {
							x[i] = float64(i%7) - 3
						}
					}
				}
			}
			if r > 0 {
				st := time.Now()
				j.Run(ctx)
				res[i] = append(res[i], pl.Flops()/float64(time.Since(st)))
			}
		}
	}
	for i := range plans {
		var ratio []float64
		for q := range res[i] {
			ratio = append(ratio, res[i][q]/res[0][q])
		}
		slices.Sort(ratio)
		x := slices.Sorted(slices.Values(res[i]))
		fmt.Printf("%-40s median %.1f best %.1f ratio %.3f\n", names[i], x[len(x)/2], x[len(x)-1], ratio[len(ratio)/2])
	}
	p.Close()
}
