package level3

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/testblas"

	"matmul/internal/elem"
	"matmul/internal/gemm"
)

// byDefinition is the reference as an engine.
func byDefinition[T elem.Float](tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	gemm.Reference(gemm.Problem[T]{
		M: m, N: n, K: k, Alpha: alpha, Beta: beta, A: op(tA, a, lda), B: op(tB, b, ldb), C: c, LDC: ldc,
		C0: gemm.Matrix[T]{Data: append([]T(nil), c...), RowStride: ldc, ColStride: 1},
	})
}

func op[T elem.Float](t blas.Transpose, x []T, ld int) gemm.Matrix[T] {
	if t == blas.NoTrans {
		return gemm.Matrix[T]{Data: x, RowStride: ld, ColStride: 1}
	}
	return gemm.Matrix[T]{Data: x, RowStride: 1, ColStride: ld}
}

// cut returns an implementation that cuts down to blocks of the given orders,
// however small the problem.
func cut(leaf, square int) *Implementation {
	x := New(byDefinition[float64], byDefinition[float32])
	x.f64.leaf, x.f64.square, x.f64.least = leaf, square, 0
	x.f32.leaf, x.f32.square, x.f32.least = leaf, square, 0
	return x
}

var cuts = [][2]int{{1, 1}, {2, 3}, {3, 2}, {16, 128}}

func TestGonumsSuitesPassHoweverBlocksAreCut(t *testing.T) {
	for _, c := range cuts {
		x := cut(c[0], c[1])
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			testblas.TestDgemm(t, x)
			testblas.DsymmTest(t, x)
			testblas.DsyrkTest(t, x)
			testblas.Dsyr2kTest(t, x)
			testblas.DtrmmTest(t, x)
			testblas.DtrsmTest(t, x)
		})
	}
}

// engineOf returns an implementation's engine for T.
func engineOf[T elem.Float](x *Implementation) *engine[T] {
	if e, ok := any(&x.f64).(*engine[T]); ok {
		return e
	}
	return any(&x.f32).(*engine[T])
}

func pick[E any](r *rand.Rand, xs ...E) E { return xs[r.IntN(len(xs))] }

// matrix returns random rows×cols elements, a leading dimension apart, with NaN
// between the rows.
func matrix[T elem.Float](r *rand.Rand, rows, cols int) (x []T, ld int) {
	ld = cols + r.IntN(4)
	x = make([]T, (rows-1)*ld+cols)
	for i := range x {
		x[i] = T(math.NaN())
		if i%ld < cols {
			x[i] = T(r.NormFloat64())
		}
	}
	return x, ld
}

// inTriangle reports whether (i, j) lies in a triangle.
func inTriangle(ul blas.Uplo, i, j int) bool {
	if ul == blas.Lower {
		return i >= j
	}
	return i <= j
}

// halveOut makes what lies outside a triangle of order n NaN.
func halveOut[T elem.Float](ul blas.Uplo, n int, x []T, ld int) {
	for i := range n {
		for j := range n {
			if !inTriangle(ul, i, j) {
				x[i*ld+j] = T(math.NaN())
			}
		}
	}
}

// wholeOf returns the symmetric matrix of which x holds a triangle.
func wholeOf[T elem.Float](ul blas.Uplo, n int, x []T, ld int) []T {
	w := make([]T, n*n)
	for i := range n {
		for j := range n {
			at := i*ld + j
			if !inTriangle(ul, i, j) {
				at = j*ld + i
			}
			w[i*n+j] = x[at]
		}
	}
	return w
}

func same[T elem.Float](x, y T) bool { return x == y || x != x && y != y }

func sameAll[T elem.Float](t *testing.T, what string, got, want []T, ld int) {
	t.Helper()
	for i := range want {
		if !same(got[i], want[i]) {
			t.Fatalf("%s: C[%d,%d] = %v, want %v", what, i/ld, i%ld, got[i], want[i])
		}
	}
}

func TestSymmetricProductsHaveTheBitsOfOneProduct(t *testing.T) {
	t.Run("float64", testSymmetric[float64])
	t.Run("float32", testSymmetric[float32])
}

func testSymmetric[T elem.Float](t *testing.T) {
	for seed := range samples() {
		r := rand.New(rand.NewPCG(1, uint64(seed)))
		c := pick(r, cuts...)
		e := engineOf[T](cut(c[0], c[1]))
		testSymm(t, r, e)
		testRankK(t, r, e)
	}
}

func testSymm[T elem.Float](t *testing.T, r *rand.Rand, e *engine[T]) {
	s, ul := pick(r, blas.Left, blas.Right), pick(r, blas.Lower, blas.Upper)
	m, n := 1+r.IntN(40), 1+r.IntN(40)
	alpha, beta := pick[T](r, 1, -1, 1.3), pick[T](r, 0, 1, 0.7)
	k := order(s, m, n)
	a, lda := matrix[T](r, k, k)
	halveOut(ul, k, a, lda)
	b, ldb := matrix[T](r, m, n)
	c, ldc := matrix[T](r, m, n)
	want, whole := append([]T(nil), c...), wholeOf(ul, k, a, lda)
	if s == blas.Left {
		byDefinition(blas.NoTrans, blas.NoTrans, m, n, k, alpha, whole, k, b, ldb, beta, want, ldc)
	} else {
		byDefinition(blas.NoTrans, blas.NoTrans, m, n, k, alpha, b, ldb, whole, k, beta, want, ldc)
	}
	e.symm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc)
	sameAll(t, fmt.Sprintf("Symm %c%c m=%d n=%d leaf %d square %d", s, ul, m, n, e.leaf, e.square), c, want, ldc)
}

// testRankK does a Syrk and a Syr2k, whose product is that of (A B) and (B A)ᵀ.
func testRankK[T elem.Float](t *testing.T, r *rand.Rand, e *engine[T]) {
	tr, ul := pick(r, blas.NoTrans, blas.Trans, blas.ConjTrans), pick(r, blas.Lower, blas.Upper)
	n, k := 1+r.IntN(40), 1+r.IntN(40)
	alpha, beta := pick[T](r, 1, -1, 1.3), pick[T](r, 0, 1, 0.7)
	rows, cols := n, k
	if tr != blas.NoTrans {
		rows, cols = k, n
	}
	a, lda := matrix[T](r, rows, cols)
	b, ldb := matrix[T](r, rows, cols)
	c, ldc := matrix[T](r, n, n)
	halveOut(ul, n, c, ldc)
	once, twice := append([]T(nil), c...), append([]T(nil), c...)
	byDefinition(tr, opposite(tr), n, n, k, alpha, a, lda, a, lda, beta, once, ldc)
	byDefinition(tr, opposite(tr), n, n, k, alpha, a, lda, b, ldb, beta, twice, ldc)
	byDefinition(tr, opposite(tr), n, n, k, alpha, b, ldb, a, lda, 1, twice, ldc)
	halveOut(ul, n, once, ldc)
	halveOut(ul, n, twice, ldc)
	what := fmt.Sprintf("%c%c n=%d k=%d square %d", ul, tr, n, k, e.square)
	got := append([]T(nil), c...)
	e.syrk(ul, tr, n, k, alpha, a, lda, beta, got, ldc)
	sameAll(t, "Syrk "+what, got, once, ldc)
	e.syr2k(ul, tr, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	sameAll(t, "Syr2k "+what, c, twice, ldc)
}

func TestTriangularProductsAndSolutionsAreWithinTheBound(t *testing.T) {
	t.Run("float64", testTriangular[float64])
	t.Run("float32", testTriangular[float32])
}

func testTriangular[T elem.Float](t *testing.T) {
	for seed := range samples() {
		r := rand.New(rand.NewPCG(2, uint64(seed)))
		c := pick(r, cuts...)
		testTriangle(t, r, engineOf[T](cut(c[0], c[1])))
	}
}

// testTriangle checks B = alpha·op(A)·B and the residual of op(A)·X = alpha·B,
// elementwise, against bounds for sums of k products in any order: each side is
// |A||B| or |A||X| times a few k rounding errors of T.
func testTriangle[T elem.Float](t *testing.T, r *rand.Rand, e *engine[T]) {
	s, ul := pick(r, blas.Left, blas.Right), pick(r, blas.Lower, blas.Upper)
	tA, d := pick(r, blas.NoTrans, blas.Trans, blas.ConjTrans), pick(r, blas.Unit, blas.NonUnit)
	m, n := 1+r.IntN(60), 1+r.IntN(60)
	alpha := pick[T](r, 1, -1, 1.3)
	k := order(s, m, n)
	a, lda := matrix[T](r, k, k)
	halveOut(ul, k, a, lda)
	for i := range k {
		a[i*lda+i] += T(math.Copysign(2, float64(a[i*lda+i]))) // far from singular
		if d == blas.Unit {
			a[i*lda+i] = T(math.NaN()) // is not read
		}
	}
	b, ldb := matrix[T](r, m, n)
	what := fmt.Sprintf("%c%c%c%c m=%d n=%d leaf %d", s, ul, tA, d, m, n, e.leaf)
	x := triangle[T]{s, ul, tA, d, k, a, lda}

	y := append([]T(nil), b...)
	e.doTrmm(s, ul, tA, d, m, n, alpha, a, lda, y, ldb)
	x.check(t, "Trmm "+what, n, alpha, b, y, ldb)

	y = append([]T(nil), b...)
	e.doTrsm(s, ul, tA, d, m, n, alpha, a, lda, y, ldb)
	x.check(t, "Trsm "+what, n, 1/alpha, y, b, ldb)
}

// triangle is op(A) as its elements are meant.
type triangle[T elem.Float] struct {
	s   blas.Side
	ul  blas.Uplo
	tA  blas.Transpose
	d   blas.Diag
	k   int
	a   []T
	lda int
}

func (x *triangle[T]) at(i, j int) float64 {
	if x.tA != blas.NoTrans {
		i, j = j, i
	}
	switch {
	case i == j && x.d == blas.Unit:
		return 1
	case !inTriangle(x.ul, i, j):
		return 0
	}
	return float64(x.a[i*x.lda+j])
}

// check compares y with alpha·op(A)·b, or alpha·b·op(A), and what lies between
// the rows of y with NaN.
func (x *triangle[T]) check(t *testing.T, what string, n int, alpha T, b, y []T, ldb int) {
	t.Helper()
	u := math.Ldexp(1, -53)
	if elem.Of[T]() == elem.Float32 {
		u = math.Ldexp(1, -24)
	}
	for i := range y {
		row, col := i/ldb, i%ldb
		if col >= n {
			if y[i] == y[i] {
				t.Fatalf("%s: wrote between the rows, at [%d,%d]", what, row, col)
			}
			continue
		}
		var sum, abs float64
		for p := range x.k {
			v := 0.0
			if x.s == blas.Left {
				v = x.at(row, p) * float64(b[p*ldb+col])
			} else {
				v = float64(b[row*ldb+p]) * x.at(p, col)
			}
			sum += v
			abs += math.Abs(v)
		}
		sum, abs = sum*float64(alpha), abs*math.Abs(float64(alpha))
		bound := 4 * float64(x.k+4) * u * (abs + math.Abs(float64(y[i])))
		if !(math.Abs(sum-float64(y[i])) <= bound) {
			t.Fatalf("%s: [%d,%d] = %v, want %v up to %v", what, row, col, y[i], sum, bound)
		}
	}
}
