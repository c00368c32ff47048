package matmul_test

import (
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/mat"

	"matmul"
)

func randomDense(r *rand.Rand, rows, cols int) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	for i := range m.RawMatrix().Data {
		m.RawMatrix().Data[i] = ordinary(r)
	}
	return m
}

// defined returns a·b by the definition, element by element.
func defined(a, b mat.Matrix) *mat.Dense {
	x, y := mat.DenseCopyOf(a), mat.DenseCopyOf(b)
	m, k := x.Dims()
	_, n := y.Dims()
	c := call[float64]{tA: blas.NoTrans, tB: blas.NoTrans, m: m, n: n, k: k, alpha: 1,
		a: x.RawMatrix().Data, lda: k, b: y.RawMatrix().Data, ldb: n, c: make([]float64, m*n), ldc: n}
	return mat.NewDense(m, n, c.definition())
}

func TestMulReadsEveryKindOfMatrix(t *testing.T) {
	p := newPool(t)
	r := rand.New(rand.NewPCG(1, 0))
	const n = 30
	square := randomDense(r, n, n)
	vector := mat.NewVecDense(n, append([]float64(nil), square.RawMatrix().Data[:n]...))
	for name, x := range map[string][2]mat.Matrix{
		"dense":              {randomDense(r, 7, n), randomDense(r, n, 5)},
		"transposed":         {randomDense(r, n, 7).T(), randomDense(r, 5, n).T()},
		"views":              {square.Slice(2, 9, 1, 20), square.Slice(3, 22, 4, 20).(*mat.Dense)},
		"views, transposed":  {square.Slice(2, 9, 1, 20).T(), square.Slice(3, 10, 4, 20)},
		"vector":             {square, vector},
		"transposed vector":  {vector.T(), square},
		"column of a matrix": {square, square.ColView(3)},
		"symmetric":          {mat.NewSymDense(n, square.RawMatrix().Data), square},
		"triangular":         {square, mat.NewTriDense(n, mat.Lower, square.RawMatrix().Data)},
		"diagonal":           {square.T(), mat.NewDiagDense(n, vector.RawVector().Data)},
	} {
		var got mat.Dense
		if err := matmul.Mul(t.Context(), p, &got, x[0], x[1]); err != nil {
			t.Fatal(err)
		}
		if !mat.Equal(&got, defined(x[0], x[1])) {
			t.Errorf("%s: wrong product", name)
		}
	}
}

func TestMulMayOverwriteItsOperands(t *testing.T) {
	p := newPool(t)
	r := rand.New(rand.NewPCG(2, 0))
	const n = 40
	for name, x := range map[string]func(m *mat.Dense) (dst *mat.Dense, a, b mat.Matrix){
		"a":                  func(m *mat.Dense) (*mat.Dense, mat.Matrix, mat.Matrix) { return m, m, randomDense(r, n, n) },
		"b, transposed":      func(m *mat.Dense) (*mat.Dense, mat.Matrix, mat.Matrix) { return m, randomDense(r, n, n), m.T() },
		"both":               func(m *mat.Dense) (*mat.Dense, mat.Matrix, mat.Matrix) { return m, m, m },
		"a view that begins": func(m *mat.Dense) (*mat.Dense, mat.Matrix, mat.Matrix) { return sub(m, 3), sub(m, 0), sub(m, 5) },
	} {
		dst, a, b := x(randomDense(r, n, n))
		want := defined(a, b)
		if err := matmul.Mul(t.Context(), p, dst, a, b); err != nil {
			t.Fatal(err)
		}
		if !mat.Equal(dst, want) {
			t.Errorf("%s: wrong product", name)
		}
	}
}

// sub returns the 20×20 view of a matrix that begins on its diagonal.
func sub(m *mat.Dense, at int) *mat.Dense { return m.Slice(at, at+20, at, at+20).(*mat.Dense) }

func TestShapesThatDoNotFitPanicAsGonumDoes(t *testing.T) {
	p := newPool(t)
	square, wide := mat.NewDense(3, 3, nil), mat.NewDense(3, 4, nil)
	for name, x := range map[string][3]*mat.Dense{
		"inner dimensions": {new(mat.Dense), wide, wide},
		"destination":      {square, square, wide},
	} {
		want := panicOf(func() { x[0].Mul(x[1], x[2]) })
		got := panicOf(func() { matmul.Mul(t.Context(), p, x[0], x[1], x[2]) })
		if want == nil || got != want {
			t.Errorf("%s: panic %v, gonum's is %v", name, got, want)
		}
	}
	for _, dims := range [][2]int{{0, 1}, {1, 0}, {-1, 2}, {0, 0}} {
		want := panicOf(func() { mat.NewDense(dims[0], dims[1], nil) })
		got := panicOf(func() { p.NewDense(dims[0], dims[1]) })
		if want == nil || got != want {
			t.Errorf("NewDense%v: panic %v, gonum's is %v", dims, got, want)
		}
	}
}
