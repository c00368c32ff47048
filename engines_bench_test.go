//go:build linux

package matmul_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"

	"matmul"
)

// A way is how a product of order n reaches an engine: its pool, and C = A·B
// in the memory that the engine wants.
type way struct {
	name    string
	options []matmul.Option
	heap    bool
}

var ways = []way{
	{"threads", nil, true},
	{"processes", nil, false},
	{"isolation", []matmul.Option{matmul.WithIsolation()}, true},
}

// product returns a pool and a function that multiplies on it once.
func (w way) product(b *testing.B, n int) (p *matmul.Pool, run func()) {
	p = newPool(b, w.options...)
	r := rand.New(rand.NewPCG(1, 1))
	var m [3]*mat.Dense
	for i := range m {
		if m[i] = mat.NewDense(n, n, nil); !w.heap {
			var err error
			if m[i], err = p.NewDense(n, n); err != nil {
				b.Fatal(err)
			}
		}
		for j := range m[i].RawMatrix().Data {
			m[i].RawMatrix().Data[j] = ordinary(r)
		}
	}
	return p, func() {
		if err := matmul.Mul(context.Background(), p, m[2], m[0], m[1]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEngines multiplies in all ways, in turns, so that what disturbs one
// disturbs all. It reports the median speed of each, and the median of the
// ratios of neighbours to the processes that find everything in the segment.
func BenchmarkEngines(b *testing.B) {
	for _, n := range []int{1024, 2048, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var run [3]func()
			for i, w := range ways {
				_, run[i] = w.product(b, n)
				run[i]()
				run[i]()
			}
			var took, ratio [3][]float64
			for round := 0; b.Loop(); round++ {
				var t [3]float64
				for i := range ways {
					i = (i + round) % len(ways)
					start := time.Now()
					run[i]()
					t[i] = time.Since(start).Seconds()
				}
				for i := range ways {
					took[i] = append(took[i], t[i])
					ratio[i] = append(ratio[i], t[1]/t[i])
				}
			}
			b.ReportMetric(0, "ns/op")
			for i, w := range ways {
				b.ReportMetric(2*float64(n)*float64(n)*float64(n)/middle(took[i])/1e9, "GFLOP/s-"+w.name)
				b.ReportMetric(middle(ratio[i]), "x-"+w.name)
			}
		})
	}
}

// BenchmarkEnginesMemory is what each way takes besides the three matrices,
// after a product, the program and its workers together; and what it copies per
// product.
func BenchmarkEnginesMemory(b *testing.B) {
	const mebi = 1 << 20
	for _, w := range ways {
		for _, n := range []int{1024, 4096} {
			b.Run(fmt.Sprintf("%s/%d", w.name, n), func(b *testing.B) {
				debug.FreeOSMemory()
				before := memoryOfAll()
				p, run := w.product(b, n)
				for b.Loop() {
					run()
				}
				debug.FreeOSMemory()
				s, overhead := p.Stats(), memoryOfAll()-before-3*8*int64(n)*int64(n)
				b.ReportMetric(float64(overhead)/mebi, "MiB-more")
				b.ReportMetric(float64(s.Copied)/float64(s.Threads+s.Processes)/mebi, "MiB-copied/op")
			})
		}
	}
}

// memoryOfAll sums the proportional set sizes of this process and its children:
// a page that they share counts once.
func memoryOfAll() (sum int64) {
	for _, pid := range append(childrenOf(os.Getpid()), os.Getpid()) {
		rollup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		_, rest, _ := strings.Cut(string(rollup), "\nPss:")
		var kilobytes int64
		fmt.Sscan(rest, &kilobytes)
		sum += kilobytes << 10
	}
	return sum
}
