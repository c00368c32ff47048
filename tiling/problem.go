// Package tiling is the pure arithmetic of a job: it cuts a problem into PACK,
// LOAD, MULTIPLY and STORE tasks, orders them so that packed panels are used
// while they are near, and knows which task waits for which.
//
// Contract: nothing here touches memory, files or processes, and equal
// arguments give equal results. Sizes are 64-bit counts of elements; New
// checks every product of them, so that what is computed from a Plan cannot
// overflow. Neither the tiles nor the order influence the bits of C: each
// element of C belongs to exactly one MULTIPLY task, which has the full k.
package tiling

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// ErrTooLarge is returned when a product of sizes does not fit 63 bits, or a
// problem would be cut into more tasks than a task table holds.
var ErrTooLarge = errors.New("problem too large")

// Problem is the shape of C = α·op(A)·op(B) + β·C₀: op(A) is M×K, op(B) is
// K×N, C and C₀ are M×N. With K = 0 no operand is packed.
type Problem struct{ M, N, K int64 }

// Check returns an error unless all sizes and the products M·N, M·K and K·N,
// each in units of 8 bytes and rounded up to whole panels, fit an int64.
func (p Problem) Check() error {
	if p.M < 0 || p.N < 0 || p.K < 0 {
		return fmt.Errorf("negative size in %d×%d×%d", p.M, p.N, p.K)
	}
	const slack = 1 << 12 // more lanes than any panel is wide
	for _, v := range [][2]int64{{p.M, p.N}, {p.M, p.K}, {p.N, p.K}} {
		if _, ok := Mul(v[0], v[1]); !ok || v[0] > math.MaxInt64-slack {
			return fmt.Errorf("%w: %d×%d×%d", ErrTooLarge, p.M, p.N, p.K)
		}
		if n, ok := Mul(v[0]+slack, v[1]); !ok || n > math.MaxInt64/8 {
			return fmt.Errorf("%w: %d×%d×%d", ErrTooLarge, p.M, p.N, p.K)
		}
	}
	return nil
}

// Flops returns 2·M·N·K, the additions and multiplications of the product, as
// a float64: it may exceed 2⁶³.
func (p Problem) Flops() float64 { return 2 * float64(p.M) * float64(p.N) * float64(p.K) }

// Mul returns a·b for a, b ≥ 0 and whether it fits an int64.
func Mul(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(lo), hi == 0 && lo <= math.MaxInt64
}

// ceilDiv returns ⌈a/b⌉ for a ≥ 0, b > 0.
func ceilDiv(a, b int64) int64 { return a/b + min(a%b, 1) }

// roundUp returns the smallest multiple of b that is not below a.
func roundUp(a, b int64) int64 { return ceilDiv(a, b) * b }
