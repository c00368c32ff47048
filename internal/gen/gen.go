// Package gen fills matrices with reproducible test data.
//
// Contract: an element depends on the kind, the seed, the element type and
// its index in the order of rows, and on nothing else: not on the machine,
// its instruction set, or how the work was divided. Random elements are made
// from the bits of Philox4x64-10 at that index, by operations that IEEE 754
// rounds in one way only, each of them rounded by itself. NumPy has the same
// generator, so for seed s:
//
//	raw = np.random.Philox(key=s).random_raw(rows*cols)
//	uniform float64 = (raw >> 11) * 2.0**-52 - 1
//	uniform float32 = (raw >> 40).astype('f4') * 2.0**-23 - 1
//	integer         = (raw >> 60) - 8.0
package gen

import (
	"fmt"
	"strings"
)

// A Kind says what elements a matrix has.
type Kind string

// The kinds.
const (
	// Uniform is uniform in [-1, 1): multiples of 2^-52 (float64) or 2^-23
	// (float32), so that products cancel as those of real data do.
	Uniform Kind = "uniform"
	// Normal is normal with mean 0 and standard deviation 1.
	Normal Kind = "normal"
	// Integer is uniform on the integers from -8 to 7. A product of two such
	// matrices is exact, in any order of summation, up to an inner dimension
	// of 2^18 in float32 and 2^47 in float64.
	Integer Kind = "integer"
	// Identity has ones on the diagonal and zeros elsewhere. The matrix need
	// not be square.
	Identity Kind = "identity"
)

// Kinds returns all kinds, the default first.
func Kinds() []Kind { return []Kind{Uniform, Normal, Integer, Identity} }

// ParseKind returns the kind that name spells.
func ParseKind(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if name == string(k) {
			return k, nil
		}
		names = append(names, string(k))
	}
	return "", fmt.Errorf("unknown kind %q: want %s", name, strings.Join(names, ", "))
}

// A Spec says what to fill a matrix with.
type Spec struct {
	Kind Kind
	Seed uint64 // not used by Identity
}
