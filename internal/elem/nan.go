package elem

import "math"

// nanBlock is how many elements are added up to see whether one is a NaN.
const nanBlock = 16

// FirstNaN returns the index of the first NaN of c, or len(c) if there is none.
func FirstNaN[T Float](c []T) int {
	at := 0
	for ; len(c)-at >= nanBlock; at += nanBlock {
		x := c[at:][:nanBlock]
		s := (x[0] + x[1]) + (x[2] + x[3]) + ((x[4] + x[5]) + (x[6] + x[7])) +
			((x[8] + x[9]) + (x[10] + x[11]) + ((x[12] + x[13]) + (x[14] + x[15])))
		if s != s && firstNaN(x) < nanBlock { // infinities add up to a NaN, too
			break
		}
	}
	return at + firstNaN(c[at:])
}

func firstNaN[T Float](c []T) int {
	for i, x := range c {
		if x != x {
			return i
		}
	}
	return len(c)
}

// Canonical replaces every NaN of c by the one that files hold.
func Canonical[T Float](c []T) {
	for i := FirstNaN(c); i < len(c); i += FirstNaN(c[i:]) {
		c[i] = T(math.Float64frombits(0x7ff8 << 48))
		i++
	}
}
