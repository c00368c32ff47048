package gemm

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"matmul/internal/elem"
)

// BenchmarkMultiply is the macro-kernel on one thread and packed panels, with
// C at a leading dimension that is a power of two. Each iteration measures the
// FMA limit too: only rates from one run compare.
func BenchmarkMultiply(b *testing.B) {
	for _, s := range [][3]int{{256, 256, 256}, {1024, 1024, 1024}, {2048, 2048, 2048}, {1536, 1152, 4096}, {4096, 4096, 64}} {
		name := fmt.Sprintf("%dx%dx%d", s[0], s[1], s[2])
		for _, k := range worthMeasuring(kernels[float64](b), s[0]) {
			b.Run(fmt.Sprintf("float64/%s/%v", name, k.ISA), func(b *testing.B) { benchMultiply[float64](b, k, s[0], s[1], s[2]) })
		}
		for _, k := range worthMeasuring(kernels[float32](b), s[0]) {
			b.Run(fmt.Sprintf("float32/%s/%v", name, k.ISA), func(b *testing.B) { benchMultiply[float32](b, k, s[0], s[1], s[2]) })
		}
	}
}

// worthMeasuring leaves the portable kernel out of large products: it has the
// same speed at all sizes, and takes a minute for them.
func worthMeasuring(ks []*Kernel, m int) []*Kernel {
	return slices.DeleteFunc(ks, func(k *Kernel) bool { return k.ISA == Generic && m > 256 })
}

func randomPanels[T elem.Float](lanes, depth, width int) Panels[T] {
	r := rand.New(rand.NewPCG(1, 1))
	p := Panels[T]{alignedSlice[T](PanelLen(lanes, depth, width)), width, lanes, depth}
	fill(r, flavours[0], p.Data)
	return p
}

func benchMultiply[T elem.Float](b *testing.B, k *Kernel, m, n, depth int) {
	t := Tile[T]{A: Operand[T]{Packed: randomPanels[T](m, depth, k.MR)}, B: Operand[T]{Packed: randomPanels[T](n, depth, k.NR)},
		I1: m, J1: n, C: alignedSlice[T](m * 4096), LDC: 4096}
	ws := new(Workspace[T])
	Multiply(k, Blocking{}, ws, t)
	r := newRates(k, 2*float64(m)*float64(n)*float64(depth))
	for b.Loop() {
		r.time(func() { Multiply(k, Blocking{}, ws, t) })
	}
	r.report(b)
}

// rates collects GFLOP/s of a piece of work and its share of the FMA limit
// measured before and after it.
type rates struct {
	k             *Kernel
	flops         float64
	gflops, share []float64
}

func newRates(k *Kernel, flops float64) *rates { return &rates{k: k, flops: flops} }

func (r *rates) time(f func()) {
	before := Peak(r.k, 2*time.Millisecond)
	start := time.Now()
	f()
	rate := r.flops / float64(time.Since(start))
	r.gflops = append(r.gflops, rate)
	r.share = append(r.share, 200*rate/(before+Peak(r.k, 2*time.Millisecond)))
}

func (r *rates) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(r.gflops), "GFLOP/s")
	b.ReportMetric(median(r.share), "%limit")
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}

// BenchmarkPack reports the bytes of the source per second, for the layouts
// that B and A come in.
func BenchmarkPack(b *testing.B) {
	const lanes, depth = 2048, 2048
	for _, k := range kernels[float64](b) {
		benchPack[float64](b, k, lanes, depth)
	}
	for _, k := range kernels[float32](b) {
		benchPack[float32](b, k, lanes, depth)
	}
}

func benchPack[T elem.Float](b *testing.B, k *Kernel, lanes, depth int) {
	src := alignedSlice[T](lanes * depth)
	for _, c := range []struct {
		name   string
		width  int
		ls, ds int
	}{
		{"A", k.MR, depth, 1}, {"A transposed", k.MR, 1, lanes},
		{"B", k.NR, 1, lanes}, {"B transposed", k.NR, depth, 1},
	} {
		b.Run(fmt.Sprintf("%v/%v/%s", k.Type, k.ISA, c.name), func(b *testing.B) {
			p := Panels[T]{alignedSlice[T](PanelLen(lanes, depth, c.width)), c.width, lanes, depth}
			b.SetBytes(int64(len(elem.Bytes(src))))
			for b.Loop() {
				Pack(k, p, 0, lanes, 0, depth, Source[T]{src, c.ls, c.ds}, 1)
			}
		})
	}
}

// BenchmarkPeakTogether is how many times the speed of one loop of FMAs, in
// registers, one for each processor have, over a second: the most that a
// product can gain from more workers on this machine.
func BenchmarkPeakTogether(b *testing.B) {
	k, err := Lookup(Auto, elem.Float64)
	if err != nil {
		b.Fatal(err)
	}
	steps, flops := peakOf(k)
	second := int(Peak(k, 10*time.Millisecond) * 1e9 / flops)
	all := runtime.GOMAXPROCS(0)
	loops := func(n int) time.Duration {
		var wg sync.WaitGroup
		start := time.Now()
		for range n {
			wg.Go(func() { steps(second) })
		}
		wg.Wait()
		return time.Since(start)
	}
	var times []float64
	for b.Loop() {
		one := loops(1)
		times = append(times, float64(all)*float64(one)/float64(loops(all)))
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2], "times")
	b.ReportMetric(float64(all), "processors")
	b.ReportMetric(0, "ns/op")
}
