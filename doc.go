// Package matmul multiplies large dense matrices:
// C = α·op(A)·op(B) + β·C₀, for float64 and float32, with the same bits in C
// whatever the number of workers, the tile sizes, the instruction set and the
// order of the work.
//
// A [Pool] computes; [Gemm] multiplies row-major slices, [Mul] matrices of
// gonum. docs/library.md tells which engine does what, and what it costs.
package matmul
