package level3

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// Implementation is gonum's BLAS with Level 3 over an engine's products.
type Implementation struct {
	gonum.Implementation
	f64 engine[float64]
	f32 engine[float32]
}

var (
	_ blas.Float64 = (*Implementation)(nil)
	_ blas.Float32 = (*Implementation)(nil)
)

// New returns an implementation over the products of an engine.
func New(dgemm Gemm[float64], sgemm Gemm[float32]) *Implementation {
	var own gonum.Implementation
	return &Implementation{
		f64: engine[float64]{gemm: dgemm, trmm: own.Dtrmm, trsm: own.Dtrsm, leaf: leaf, square: square, least: least},
		f32: engine[float32]{gemm: sgemm, trmm: own.Strmm, trsm: own.Strsm, leaf: leaf, square: square, least: least},
	}
}

// Measured on two cores: where blocking over products is not slower than what
// gonum does by itself.
const (
	leaf   = 16
	square = 128
	least  = 4096
)

// Dgemm computes C = alpha·op(A)·op(B) + beta·C by the engine.
func (x *Implementation) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	x.f64.gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// Sgemm is Dgemm for float32.
func (x *Implementation) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	x.f32.gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// Dsymm computes C = alpha·A·B + beta·C or C = alpha·B·A + beta·C, A symmetric.
func (x *Implementation) Dsymm(s blas.Side, ul blas.Uplo, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if !x.f64.symmComputes(s, ul, m, n, alpha, a, lda, b, ldb, c, ldc) {
		x.Implementation.Dsymm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	x.f64.symm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc)
}

// Ssymm is Dsymm for float32.
func (x *Implementation) Ssymm(s blas.Side, ul blas.Uplo, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if !x.f32.symmComputes(s, ul, m, n, alpha, a, lda, b, ldb, c, ldc) {
		x.Implementation.Ssymm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	x.f32.symm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc)
}

// Dsyrk computes a triangle of C = alpha·op(A)·op(A)ᵀ + beta·C.
func (x *Implementation) Dsyrk(ul blas.Uplo, t blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	if !x.f64.syrkComputes(ul, t, n, k, alpha, c, ldc) || !lanesFit(t, n, k, a, lda) {
		x.Implementation.Dsyrk(ul, t, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	x.f64.syrk(ul, t, n, k, alpha, a, lda, beta, c, ldc)
}

// Ssyrk is Dsyrk for float32.
func (x *Implementation) Ssyrk(ul blas.Uplo, t blas.Transpose, n, k int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int) {
	if !x.f32.syrkComputes(ul, t, n, k, alpha, c, ldc) || !lanesFit(t, n, k, a, lda) {
		x.Implementation.Ssyrk(ul, t, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	x.f32.syrk(ul, t, n, k, alpha, a, lda, beta, c, ldc)
}

// Dsyr2k computes a triangle of C = alpha·op(A)·op(B)ᵀ + alpha·op(B)·op(A)ᵀ + beta·C.
func (x *Implementation) Dsyr2k(ul blas.Uplo, t blas.Transpose, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if !x.f64.syrkComputes(ul, t, n, k, alpha, c, ldc) || !lanesFit(t, n, k, a, lda) || !lanesFit(t, n, k, b, ldb) {
		x.Implementation.Dsyr2k(ul, t, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	x.f64.syr2k(ul, t, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// Ssyr2k is Dsyr2k for float32.
func (x *Implementation) Ssyr2k(ul blas.Uplo, t blas.Transpose, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if !x.f32.syrkComputes(ul, t, n, k, alpha, c, ldc) || !lanesFit(t, n, k, a, lda) || !lanesFit(t, n, k, b, ldb) {
		x.Implementation.Ssyr2k(ul, t, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	x.f32.syr2k(ul, t, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// Dtrmm computes B = alpha·op(A)·B or B = alpha·B·op(A), A triangular.
func (x *Implementation) Dtrmm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	x.f64.doTrmm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
}

// Strmm is Dtrmm for float32.
func (x *Implementation) Strmm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int) {
	x.f32.doTrmm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
}

// Dtrsm solves op(A)·X = alpha·B or X·op(A) = alpha·B, A triangular, for X,
// which takes the place of B.
func (x *Implementation) Dtrsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	x.f64.doTrsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
}

// Strsm is Dtrsm for float32.
func (x *Implementation) Strsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int) {
	x.f32.doTrsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
}
