package gen

import "math/bits"

// Philox4x64-10: Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As
// Easy as 1, 2, 3", SC 2011. A block of four words is a function of a key and
// a counter, so that any part of the sequence can be made by itself.
const (
	philoxM0 = 0xD2E7470EE14C6C93
	philoxM1 = 0xCA5A826395121157
	philoxW0 = 0x9E3779B97F4A7C15 // golden ratio
	philoxW1 = 0xBB67AE8584CAA73B // √3 − 1

	philoxRounds = 10
	philoxWords  = 4 // in a block
)

// philox returns the block with the counter (counter, 0, 0, 0) under the key
// (key, 0).
func philox(key, counter uint64) [philoxWords]uint64 {
	c0, c1, c2, c3 := counter, uint64(0), uint64(0), uint64(0)
	k0, k1 := key, uint64(0)
	for range philoxRounds {
		hi0, lo0 := bits.Mul64(philoxM0, c0)
		hi1, lo1 := bits.Mul64(philoxM1, c2)
		c0, c1, c2, c3 = hi1^c1^k0, lo1, hi0^c3^k1, lo0
		k0 += philoxW0
		k1 += philoxW1
	}
	return [philoxWords]uint64{c0, c1, c2, c3}
}

// words calls f with the random word of each index from first to
// first+n-1, in order. Like NumPy's generator, the sequence begins with the
// block of counter 1.
func words(seed, first uint64, n int, f func(i int, w uint64)) {
	for i := 0; i < n; {
		at := first + uint64(i)
		block := philox(seed, at/philoxWords+1)
		for _, w := range block[at%philoxWords:] {
			if i == n {
				return
			}
			f(i, w)
			i++
		}
	}
}
