package main

import (
	"testing"

	"matmul/internal/elem"
)

// crooked is an engine that multiplies plainly, and then does something to C.
type crooked[T elem.Float] struct {
	guest[T]
	spoil func(s size, c []T)
}

func (e *crooked[T]) about() string { return "" }

func (e *crooked[T]) multiply(s size) error {
	c := plainProduct(s, e.ops)
	e.spoil(s, c)
	copy(e.ops.c, c)
	return nil
}

func TestChecks(t *testing.T) {
	t.Run("float64", testChecks[float64])
	t.Run("float32", testChecks[float32])
}

func testChecks[T elem.Float](t *testing.T) {
	for _, c := range []struct {
		name  string
		right bool
		spoil func(s size, c []T)
	}{
		{"a right answer passes", true, func(size, []T) {}},
		{"one wrong element is found", false, func(_ size, c []T) { c[len(c)/2] += 1 }},
		{"an answer that is transposed is found", false, func(s size, c []T) {
			for i := range min(s.M, s.N) {
				for j := range i {
					c[i*s.N+j], c[j*s.N+i] = c[j*s.N+i], c[i*s.N+j]
				}
			}
		}},
		{"an answer that is zero is found", false, func(_ size, c []T) { clear(c) }},
		{"an element that was left out is found", false, func(_ size, c []T) { fillNaN(c[len(c)-1:]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := size{50, 70, 90}
			g, err := newGuest[T]([]size{s, exactSize})
			if err != nil {
				t.Fatal(err)
			}
			e := &crooked[T]{g, c.spoil}
			if err := checkExactly[T](e); (err == nil) != c.right {
				t.Errorf("exactly: %v", err)
			}
			fillRandom(g.ops.a, 1)
			fillRandom(g.ops.b, 2)
			if err := checkRandomly[T](e, s); (err == nil) != c.right {
				t.Errorf("randomly: %v", err)
			}
		})
	}
}

func TestMemoryIsAligned(t *testing.T) {
	v, err := allocate[float32](1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(v) != 1000 || !aligned(v) {
		t.Errorf("%d elements, aligned: %v", len(v), aligned(v))
	}
}
