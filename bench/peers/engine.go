package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"matmul/internal/elem"
)

// operands are the memory of A, B and C, row-major: the leading elements are
// used, whatever the size is. Each is aligned to a page at least.
type operands[T elem.Float] struct{ a, b, c []T }

// engine multiplies. It is used from one thread, which is locked.
type engine[T elem.Float] interface {
	// operands returns the memory that multiply works on. It stays what it is
	// until the next call of multiply.
	operands() (operands[T], error)
	// multiply computes C = A·B once.
	multiply(s size) error
	// limit measures the FMA limit in flop/s.
	limit() (float64, error)
	// about says what the engine is in its own words.
	about() string
	// pids are its processes.
	pids() []int
	close()
}

// openEngine starts what a child is, with memory for its sizes and for that of
// the exact check.
func openEngine[T elem.Float](s setup) (engine[T], error) {
	s.Sizes = append(slices.Clone(s.Sizes), exactSize)
	switch s.Kind {
	case kindMatmul:
		return openMatmul[T](s)
	case kindLibrary:
		return openLibrary[T](s)
	case kindGonum:
		return openGonum[T](s)
	}
	return nil, fmt.Errorf("unknown kind %d", s.Kind)
}

// guest is what all engines but ours have in common: operands in memory of
// this process, and one process.
type guest[T elem.Float] struct{ ops operands[T] }

func newGuest[T elem.Float](sizes []size) (g guest[T], err error) {
	a, b, c := most(sizes)
	for _, o := range []struct {
		dst *[]T
		n   int64
	}{{&g.ops.a, a}, {&g.ops.b, b}, {&g.ops.c, c}} {
		if *o.dst, err = allocate[T](o.n); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (g guest[T]) operands() (operands[T], error) { return g.ops, nil }
func (g guest[T]) limit() (float64, error)        { return 0, errors.New("cannot measure the FMA limit") }
func (g guest[T]) pids() []int                    { return []int{os.Getpid()} }
func (g guest[T]) close()                         {} // the process ends, and with it its memory

// fillRandom writes numbers between −1 and 1.
func fillRandom[T elem.Float](v []T, seed uint32) {
	x := seed
	for i := range v {
		x = x*1664525 + 1013904223 // Numerical Recipes: any spread of values does
		v[i] = T(int32(x)) / (1 << 31)
	}
}

// fillNaN makes elements that are left out, or read, show.
func fillNaN[T elem.Float](v []T) {
	for i := range v {
		v[i] = T(math.NaN())
	}
}
