package shmmat

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"matmul/internal/elem"
)

func TestCheckAgreesWithArithmeticThatCannotOverflow(t *testing.T) {
	num := func(t *rapid.T, name string) int64 {
		return rapid.OneOf(rapid.Int64Range(-1, 50), rapid.Int64(), rapid.SampledFrom([]int64{math.MaxInt64, 1 << 32, 1 << 61})).Draw(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := Matrix{
			Rows: num(t, "rows"), Cols: num(t, "cols"), LD: num(t, "ld"), Offset: num(t, "offset"),
			Order: Order(rapid.IntRange(0, 2).Draw(t, "order")), Type: elem.Type(rapid.IntRange(0, 12).Draw(t, "type")),
		}
		size := num(t, "size")
		if got, want := m.Check(size) == nil, fits(m, size); got != want {
			t.Fatalf("%+v in %d bytes: got %v, want %v", m, size, got, want)
		}
	})
}

// fits is Check in big integers.
func fits(m Matrix, size int64) bool {
	if m.Rows < 0 || m.Cols < 0 || m.Offset < 0 || !m.Type.Valid() || m.Order > ColMajor || m.LD < m.Minors() {
		return false
	}
	if m.Rows == 0 || m.Cols == 0 {
		return true
	}
	n := new(big.Int).Mul(big.NewInt(m.Majors()-1), big.NewInt(m.LD))
	n.Add(n, big.NewInt(m.Minors()))
	n.Mul(n, big.NewInt(int64(m.Type.Size())))
	n.Add(n, big.NewInt(m.Offset))
	return n.Cmp(big.NewInt(size)) <= 0
}

func TestTransposeIsItsOwnInverse(t *testing.T) {
	m := Matrix{Rows: 3, Cols: 5, LD: 7, Type: elem.Float64}
	if m.T().T() != m || m.T().Rows != 5 || m.T().Order != ColMajor || m.T().Majors() != 3 {
		t.Errorf("got %+v", m.T())
	}
}
