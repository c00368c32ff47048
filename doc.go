// Package matmul multiplies large dense matrices:
// C = α·op(A)·op(B) + β·C₀, for float64 and float32, with the same bits in C
// whatever the number of workers, the tile sizes, the instruction set and the
// order of the work.
//
// This package is the library's face. So far it has what a program needs to
// let worker processes run: [Main]. The command is in cmd/matmul.
package matmul
