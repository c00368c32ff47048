package gemm

import "matmul/internal/elem"

// A Matrix is an operand as the definition reads it: element (i, j) of op(X)
// at Data[i*RowStride+j*ColStride], so that a transposed operand is its
// stored form with the strides exchanged.
type Matrix[T elem.Float] struct {
	Data                 []T
	RowStride, ColStride int
}

func (x *Matrix[T]) at(i, j int) T { return x.Data[i*x.RowStride+j*x.ColStride] }

// A Problem is C = alpha·op(A)·op(B) + beta·C0, with C row-major. C0 is not
// read under Beta = 0, A and B are not read under Alpha = 0 or K = 0.
type Problem[T elem.Float] struct {
	M, N, K     int
	Alpha, Beta T
	A, B, C0    Matrix[T] // M×K, K×N, M×N
	C           []T
	LDC         int
}

// Reference computes C by the definition, independently of packing, blocking
// and assembly: the oracle of the tests and of exact verification.
func Reference[T elem.Float](p Problem[T]) { p.Rows(0, p.M) }

// referenceColumns are the columns of C that are worked on together: their
// accumulators and one row of B stay in L1.
const referenceColumns = 1024

// Rows computes rows [i0, i1) of C and touches no others. C[0] is always the
// element (0, 0). Each element's sum runs over p ascending.
func (p *Problem[T]) Rows(i0, i1 int) {
	for j0 := 0; j0 < p.N; j0 += referenceColumns {
		j1 := min(j0+referenceColumns, p.N)
		for i := i0; i < i1; i++ {
			p.segment(i, j0, j1)
		}
	}
}

// segment computes C[i, j0:j1].
func (p *Problem[T]) segment(i, j0, j1 int) {
	acc := p.C[i*p.LDC+j0 : i*p.LDC+j1]
	clear(acc)
	if p.Beta != 0 {
		for j := range acc {
			acc[j] = T(p.Beta * p.C0.at(i, j0+j))
		}
	}
	if p.Alpha == 0 {
		return
	}
	for q := range p.K {
		axpy(acc, T(p.Alpha*p.A.at(i, q)), p.B.Data[q*p.B.RowStride+j0*p.B.ColStride:], p.B.ColStride)
	}
}

// axpy is acc[j] = FMA(x, b[j*stride], acc[j]).
func axpy[T elem.Float](acc []T, x T, b []T, stride int) {
	switch acc := any(acc).(type) {
	case []float64:
		axpy64(acc, float64(x), any(b).([]float64), stride)
	case []float32:
		axpy32(acc, float32(x), any(b).([]float32), stride)
	}
}
