package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"matmul/internal/elem"
)

// BenchmarkChecked is what checking a tile costs, in percent of computing it, in
// turns: tiles as workers get them for products of order 4096, from panels with
// checksums and from where operands are stored, whole and a part of the last ones.
//
//	go test -run '^$' -bench Checked -benchtime 15x ./internal/gemm
func BenchmarkChecked(b *testing.B) {
	benchChecked[float64](b)
	benchChecked[float32](b)
}

func benchChecked[T elem.Float](b *testing.B) {
	for _, k := range worthMeasuring(kernels[T](b), 512) {
		const depth = 4096
		b.Run(fmt.Sprintf("%v/%v/panels", k.Type, k.ISA), func(b *testing.B) {
			const m, n = 1024, 2064
			t := Tile[T]{A: checkedPanels[T](k, m, depth, k.MR), B: checkedPanels[T](k, n, depth, k.NR), I1: m, J1: n, C: alignedSlice[T](m * 4096), LDC: 4096}
			benchCheck(b, k, t)
		})
		for name, n := range map[string]int{"stored": 4096, "part": 512} {
			b.Run(fmt.Sprintf("%v/%v/%s", k.Type, k.ISA, name), func(b *testing.B) {
				o := func(lanes, lane, depthStride int) Operand[T] {
					data := alignedSlice[T](4096 * depth)
					fill(rand.New(rand.NewPCG(1, 1)), flavours[0], data)
					return Operand[T]{Packed: Panels[T]{Lanes: lanes, Depth: depth}, Stored: Source[T]{data, lane, depthStride}, Scale: 1}
				}
				t := Tile[T]{A: o(1024, depth, 1), B: o(n, 1, 4096), I1: 1024, J1: n, C: alignedSlice[T](1024 * 4096), LDC: 4096}
				benchCheck(b, k, t)
			})
		}
	}
}

// checkedPanels are random panels with their checksums.
func checkedPanels[T elem.Float](k *Kernel, lanes, depth, width int) Operand[T] {
	o := Operand[T]{Packed: randomPanels[T](lanes, depth, width)}
	if width == k.MR {
		o.Digests = make(Digests, DigestsLen(lanes, depth, width))
	} else {
		o.Sums = make(Sums[T], SumsLen(lanes, depth, width))
	}
	source := make([]T, lanes*depth)
	for i := range source {
		l, p := i/depth, i%depth
		source[i] = o.Packed.panel(l, p)[l%width]
	}
	PackChecked(k, new(Workspace[T]), &o, 0, lanes, 0, depth, Source[T]{source, depth, 1}, 1)
	return o
}

func benchCheck[T elem.Float](b *testing.B, k *Kernel, t Tile[T]) {
	ws := new(Workspace[T])
	Checked(k, Blocking{}, ws, t)
	var more, gflops []float64
	for b.Loop() {
		start := time.Now()
		Multiply(k, Blocking{}, ws, t)
		middle := time.Now()
		if !Checked(k, Blocking{}, ws, t) {
			b.Fatal("the tile is said to be wrong")
		}
		plain := middle.Sub(start)
		more = append(more, 100*(float64(time.Since(middle))/float64(plain)-1))
		gflops = append(gflops, 2*float64(t.I1)*float64(t.J1)*float64(t.A.Packed.Depth)/float64(plain))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(gflops), "GFLOP/s")
	b.ReportMetric(median(more), "%more")
}
