package gen

import "matmul/internal/elem"

// fill sets dst to the elements of a matrix with cols columns, beginning with
// element first in the order of rows.
func fill[T elem.Float](dst []T, s Spec, first, cols int64) {
	switch s.Kind {
	case Uniform:
		if elem.Of[T]() == elem.Float32 {
			words(s.Seed, uint64(first), len(dst), func(i int, w uint64) { dst[i] = T(uniform32(w)) })
		} else {
			words(s.Seed, uint64(first), len(dst), func(i int, w uint64) { dst[i] = T(uniform64(w)) })
		}
	case Normal:
		words(s.Seed, uint64(first), len(dst), func(i int, w uint64) { dst[i] = T(normal(w)) })
	case Integer:
		words(s.Seed, uint64(first), len(dst), func(i int, w uint64) { dst[i] = T(int64(w>>60) - 8) })
	case Identity:
		identity(dst, first, cols)
	}
}

// uniform64 maps the upper 53 bits of w to the multiples of 2^-52 in [-1, 1),
// exactly.
func uniform64(w uint64) float64 { return float64(int64(w>>11)-1<<52) * 0x1p-52 }

// uniform32 maps the upper 24 bits of w to the multiples of 2^-23 in [-1, 1),
// exactly. Rounding uniform64 instead would give 1 now and then.
func uniform32(w uint64) float32 { return float32(int32(w>>40)-1<<23) * 0x1p-23 }

// identity sets dst to elements of the identity, row by row.
func identity[T elem.Float](dst []T, first, cols int64) {
	clear(dst)
	for i := int64(0); i < int64(len(dst)); {
		row, col := (first+i)/cols, (first+i)%cols
		if at := i + row - col; row >= col && row < cols && at < int64(len(dst)) {
			dst[at] = 1
		}
		i += cols - col
	}
}
