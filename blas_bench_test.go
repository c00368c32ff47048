package matmul_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"

	"matmul"
)

// BenchmarkUnderGonum runs what gonum programs do on gonum's own BLAS and on
// the backend, in turns, and reports the medians of both, in milliseconds, and
// of the ratios of neighbouring runs.
func BenchmarkUnderGonum(b *testing.B) {
	for _, n := range []int{4, 16, 64, 256, 1024, 2048} {
		x, y, z := normal(n), normal(n), mat.NewDense(n, n, nil)
		compare(b, fmt.Sprint("Mul/", n), n, func() { z.Mul(x, y) })
	}
	for _, n := range []int{64, 500, 2000} {
		x, s := normal(n), definite(n)
		var lu mat.LU
		compare(b, fmt.Sprint("LU/", n), n, func() { lu.Factorize(x) })
		var chol mat.Cholesky
		compare(b, fmt.Sprint("Cholesky/", n), n, func() { chol.Factorize(s) })
		var qr mat.QR
		compare(b, fmt.Sprint("QR/", n), n, func() { qr.Factorize(x) })
	}
	x, s := normal(500), definite(500)
	var svd mat.SVD
	compare(b, "SVD/500", 500, func() { svd.Factorize(x, mat.SVDThin) })
	var eig mat.EigenSym
	compare(b, "EigenSym/500", 500, func() { eig.Factorize(s, true) })
}

// BenchmarkLevel3 does so for the routines that are blocked over products.
func BenchmarkLevel3(b *testing.B) {
	for _, n := range []int{4, 8, 16, 32, 64, 256, 1000} {
		x, y, z := normal(n).RawMatrix(), normal(n).RawMatrix(), mat.NewDense(n, n, nil).RawMatrix()
		sym := blas64.Symmetric{Uplo: blas.Upper, N: n, Stride: n, Data: x.Data}
		out := blas64.Symmetric{Uplo: blas.Upper, N: n, Stride: n, Data: z.Data}
		tri := blas64.Triangular{Uplo: blas.Lower, Diag: blas.Unit, N: n, Stride: n, Data: make([]float64, n*n)}
		for i := range tri.Data {
			tri.Data[i] = x.Data[i] / float64(n*n) // what is multiplied in place stays finite
		}
		compare(b, fmt.Sprint("Dsymm/", n), n, func() { blas64.Symm(blas.Left, 1, sym, y, 0, z) })
		compare(b, fmt.Sprint("Dsyrk/", n), n, func() { blas64.Syrk(blas.NoTrans, 1, x, 0, out) })
		compare(b, fmt.Sprint("Dsyr2k/", n), n, func() { blas64.Syr2k(blas.NoTrans, 1, x, y, 0, out) })
		for s, side := range map[blas.Side]string{blas.Left: "Left", blas.Right: "Right"} {
			for t, trans := range map[blas.Transpose]string{blas.NoTrans: "NoTrans", blas.Trans: "Trans"} {
				compare(b, fmt.Sprint("Dtrmm/", side, trans, "/", n), n, func() { blas64.Trmm(s, t, 1, tri, y) })
				compare(b, fmt.Sprint("Dtrsm/", side, trans, "/", n), n, func() { blas64.Trsm(s, t, 1, tri, y) })
			}
		}
	}
}

// compare runs op, which works on matrices of order n, on gonum's BLAS and on
// the backend.
func compare(b *testing.B, name string, n int, op func()) {
	b.Run(name, func(b *testing.B) {
		p, err := matmul.New(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		backend := matmul.BLAS(p)
		defer blas64.Use(gonum.Implementation{})
		reps := max(1, 4_000_000/(n*n*n)) // a millisecond or more
		timed := func(x blas.Float64) float64 {
			blas64.Use(x)
			start := time.Now()
			for range reps {
				op()
			}
			return time.Since(start).Seconds() * 1000 / float64(reps)
		}
		timed(backend) // touches the memory
		var own, ours, ratio []float64
		for b.Loop() {
			x, y := timed(gonum.Implementation{}), timed(backend)
			own, ours, ratio = append(own, x), append(ours, y), append(ratio, x/y)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(middle(own), "gonum-ms")
		b.ReportMetric(middle(ours), "matmul-ms")
		b.ReportMetric(middle(ratio), "ratio")
	})
}

// normal returns an n×n matrix of normally distributed elements, the same each
// time.
func normal(n int) *mat.Dense {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	x := mat.NewDense(n, n, nil)
	for i := range x.RawMatrix().Data {
		x.RawMatrix().Data[i] = r.NormFloat64()
	}
	return x
}

// definite returns a positive definite matrix of order n.
func definite(n int) *mat.SymDense {
	var s mat.SymDense
	s.SymOuterK(1, normal(n))
	for i := range n {
		s.SetSym(i, i, s.At(i, i)+float64(n))
	}
	return &s
}
