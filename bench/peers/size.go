package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a product C = A·B: A is M×K, B is K×N, C is M×N, all row-major and
// without gaps between rows.
type size struct{ M, N, K int64 }

// parseSize reads N or MxNxK.
func parseSize(text string) (size, error) {
	var v []int64
	for f := range strings.SplitSeq(text, "x") {
		n, err := strconv.ParseInt(f, 10, 32) // CBLAS counts in int32
		if err != nil || n < 1 {
			return size{}, fmt.Errorf("%q: want N or MxNxK, each from 1 to %d", text, math.MaxInt32)
		}
		v = append(v, n)
	}
	switch len(v) {
	case 1:
		return size{v[0], v[0], v[0]}, nil
	case 3:
		return size{v[0], v[1], v[2]}, nil
	}
	return size{}, fmt.Errorf("%q: want N or MxNxK", text)
}

// parseSizes reads a list of sizes, separated by commas.
func parseSizes(text string) (all []size, err error) {
	for f := range strings.SplitSeq(text, ",") {
		s, err := parseSize(strings.TrimSpace(f))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (s size) cube() bool { return s.M == s.N && s.N == s.K }

func (s size) String() string {
	if s.cube() {
		return fmt.Sprint(s.M)
	}
	return fmt.Sprintf("%d×%d×%d", s.M, s.N, s.K)
}

// flops counts a multiplication and an addition per step.
func (s size) flops() float64 { return 2 * float64(s.M) * float64(s.N) * float64(s.K) }

// within reports whether the product takes no more arithmetic than that of
// n×n matrices.
func (s size) within(n int64) bool { return s.flops() <= size{n, n, n}.flops() }

// elements returns how many elements the operands have.
func (s size) elements() (a, b, c int64) { return s.M * s.K, s.K * s.N, s.M * s.N }

// most returns how many elements operands have that suffice for every size.
func most(sizes []size) (a, b, c int64) {
	for _, s := range sizes {
		x, y, z := s.elements()
		a, b, c = max(a, x), max(b, y), max(c, z)
	}
	return a, b, c
}
