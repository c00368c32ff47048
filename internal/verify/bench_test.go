package verify

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"matmul/internal/elem"
)

// identityProblem is A·I = A: as dense as any other to every method.
func identityProblem(b *testing.B, n int, typ elem.Type, fortran bool) *Problem {
	f := form{t: typ, fortran: fortran}
	x := zeros(n, n)
	for i := range n {
		x.data[i*n+i] = 1
	}
	p := &Problem{Alpha: 1, B: openMatrix(b, "B", x, f)}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range x.data {
		x.data[i] = precisionOf(typ).round(2*r.Float64() - 1)
	}
	p.A, p.C = openMatrix(b, "A", x, f), openMatrix(b, "C", x, f)
	b.Cleanup(func() { closeAll(p) })
	return p
}

// BenchmarkVerify reports the rate of the multiplication that is verified, and
// of reading: a Freivalds check reads each file once.
func BenchmarkVerify(b *testing.B) {
	for _, c := range []struct {
		method Method
		n      int
	}{{Freivalds, 1024}, {Freivalds, 4096}, {Gonum, 512}, {Exact, 512}} {
		for _, typ := range types {
			for _, fortran := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%v/n=%d/fortran=%v", c.method, typ, c.n, fortran), func(b *testing.B) {
					p := identityProblem(b, c.n, typ, fortran)
					b.SetBytes(3 * int64(c.n*c.n*typ.Size()))
					best := time.Duration(math.MaxInt64)
					for b.Loop() {
						r, err := Run(context.Background(), c.method, p, Options{})
						if err != nil || !r.OK {
							b.Fatal(r, err)
						}
						best = min(best, r.Elapsed)
					}
					b.ReportMetric(float64(best.Microseconds())/1000, "best-ms")
					n := float64(c.n)
					b.ReportMetric(n*n*n*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFMA/s")
				})
			}
		}
	}
}

// BenchmarkLoops are the loops that the time goes to.
func BenchmarkLoops(b *testing.B) {
	const n = 4096
	r := rand.New(rand.NewPCG(1, 1))
	x, v, w := random(r, 16, n, elem.Float64), random(r, 1, n, elem.Float64).data, random(r, 1, n, elem.Float64).data
	for name, do := range map[string]func(x []float64){
		"dot":     func(x []float64) { dot(x, v) },
		"dotAbs":  func(x []float64) { dotAbs(x, v) },
		"dotTwo":  func(x []float64) { dotTwo(x, v, w) },
		"axpy":    func(x []float64) { axpy(v, x, 0.5) },
		"axpyTwo": func(x []float64) { axpyTwo(v, w, x, 0.5, 0.25) },
		"axpy2x4": func(x []float64) {
			axpy2x4(v[:512], w[:512], x[:512], x[512:], x[1024:], x[1536:], &[4]float64{1, 2, 3, 4}, &[4]float64{5, 6, 7, 8})
		},
		"axpyFast": func(x []float64) {
			axpyFast(v[:512], 0, &[4][]float64{x, x[512:], x[1024:], x[1536:]}, &[4]float64{0.1, 0.2, 0.3, 0.4})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(8 * n)
			for i := 0; b.Loop(); i++ {
				do(x.data[i%16*n:][:n])
			}
		})
	}
}
