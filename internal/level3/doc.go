// Package level3 is gonum's BLAS with the matrix products of Level 3 done by
// another engine: Gemm directly, and the routines on triangular and symmetric
// matrices by halving these until what is left is products and small blocks on
// the diagonal.
//
// Contract: arguments, results, and panics are those of gonum's Implementation,
// up to rounding and to where NaN and infinities go: gonum skips multipliers
// that are zero, an engine need not. Symm, Syrk and Syr2k ask the engine for
// the sums in ascending order of k, so that an engine without rounding errors
// of its own order gives them the bits of one product; Trmm and Trsm leave the
// blocks on the diagonal to gonum.
package level3
