// Package gemm multiplies packed panels: the packing routines, the
// macro-kernel with its five loops, and the micro-kernels per instruction set.
//
// Contract: every element of C is the chain of fused multiply-adds that
// Reference computes, p ascending, each rounding once. Kernel, blocking, tile
// and packing order change the time, never the bits (which NaN a NaN is, is
// not promised). The package allocates nothing but its [Workspace], starts
// nothing, and trusts its caller: operands that do not fit their shapes are a
// caller's bug and panic before anything is written outside C's rectangle.
//
// The portable kernel is always built and is the specification; assembly for
// amd64 is generated from _asm and has to equal it bit for bit. The layout of
// the panels and the contract of a micro-kernel are drawn in docs/kernels.md.
package gemm

//go:generate sh _asm/generate.sh
