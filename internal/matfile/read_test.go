package matfile

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"matmul/internal/elem"
)

// element returns what testdata/make.py puts in row i, column j.
func element(t elem.Type, i, j int64) float64 {
	n := 5*i + j
	switch t {
	case elem.Float64, elem.Float32:
		return float64(n-7) / 2
	case elem.Int8, elem.Int16, elem.Int32, elem.Int64:
		return float64(n - 7)
	case elem.Bool:
		if n%3 == 0 {
			return 1
		}
		return 0
	}
	return float64(n)
}

func TestReadDecodesEveryTypeAndLayoutOfNumPy(t *testing.T) {
	seen := 0
	for _, path := range fixtures(t, "numpy") {
		f := open(t, path)
		if f.Rows != 3 || f.Cols != 5 {
			continue
		}
		seen++
		want := make([]float64, 0, 15)
		count, length := f.Vectors()
		for v := range count {
			for e := range length {
				i, j := v, e
				if f.Fortran {
					i, j = e, v
				}
				want = append(want, element(f.Elem, i, j))
			}
		}
		if got := readAll[float64](t, f); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
		for i, got := range readAll[float32](t, f) {
			if got != float32(want[i]) {
				t.Errorf("%s: element %d: got float32 %v, want %v", path, i, got, want[i])
			}
		}
	}
	if seen != 2*2*(9+2*3) {
		t.Errorf("%d fixtures read", seen)
	}
}

func TestReadDecodesTheOtherFixtures(t *testing.T) {
	for _, c := range []struct {
		name string
		want []float64
	}{
		{"vector", []float64{0, 1, 2, 3, 4, 5}}, {"vector-f4-big", []float64{0, 1, 2, 3, 4, 5}},
		{"vector-fortran", []float64{0, 1, 2, 3, 4, 5}}, {"one-row", []float64{0, 1, 2, 3, 4, 5}},
		{"one-column", []float64{0, 1, 2, 3, 4, 5}}, {"no-rows", nil}, {"no-columns", nil}, {"no-elements", nil},
		{"strided", []float64{0, 3, 12, 15}}, {"unaligned", []float64{0, 1, 2, 3, 4, 5}},
		{"no-newline", []float64{0, 1, 2, 3, 4, 5}}, {"python2-long", []float64{0, 1, 2, 3, 4, 5}},
		{"spaced", []float64{0, 1, 2, 3, 4, 5}}, {"one-byte-order", []float64{0, 1, 2, 3, 4, 5}},
		{"int64-limits", []float64{1 << 53, -1 << 53, 1 << 62, -1 << 63}},
		{"special", []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, math.MaxFloat64}},
	} {
		got := readAll[float64](t, open(t, "testdata/numpy/"+c.name+".npy"))
		if !slices.EqualFunc(got, c.want, sameBits) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func sameBits(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
}

func TestReadTakesAnyPartThroughAnyBuffer(t *testing.T) {
	for _, name := range []string{"f8-little-C-v1", "f8-big-F-v1", "i2-big-C-v1", "f4-little-F-v1", "unaligned"} {
		f := open(t, "testdata/numpy/"+name+".npy")
		all := readAll[float64](t, f)
		vectors, length := f.Vectors()
		for first := range vectors + 1 {
			for count := range vectors - first + 1 {
				for _, buf := range []int{0, 7, 8, 17, 4096} {
					got := make([]float64, count*length+1)
					got[len(got)-1] = 99
					if err := Read(f, got, first, count, make([]byte, buf)); err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got[:count*length], all[first*length:(first+count)*length]) || got[len(got)-1] != 99 {
						t.Fatalf("%s: %d vectors from %d through %d bytes: got %v of %v", name, count, first, buf, got, all)
					}
				}
			}
		}
	}
}

func TestReadNamesTheIntegerThatCannotBeConverted(t *testing.T) {
	f := open(t, "testdata/numpy/int64-inexact.npy")
	const problem = ": holds the int64 9007199254740993 in row 1, column 1, which float64 cannot represent exactly; convert it with array.astype('f8') if rounding is meant"
	for _, buf := range []int{8, 16, 24, 4096} {
		wantMessage(t, Read(f, make([]float64, 4), 0, 2, make([]byte, buf)), f.Path+problem)
		wantMessage(t, Read(f, make([]float32, 2), 1, 1, make([]byte, buf)), f.Path+problem)
	}
}

func TestReadReportsAFileThatIsTruncatedMeanwhile(t *testing.T) {
	t.Chdir(t.TempDir())
	content := npyBytes(1, good, strings.Repeat("x", 96))
	for _, size := range []int{0, 69, 70, 71, 100, len(content) - 1} {
		put(t, "A.npy", content)
		f := open(t, "A.npy")
		if err := os.Truncate("A.npy", int64(size)); err != nil {
			t.Fatal(err)
		}
		for _, buf := range []int{8, 4096} {
			message := fmt.Sprintf("A.npy: was truncated while it was read: byte %d is gone: want 166 bytes; run again when nothing writes to it", max(size, 70))
			wantMessage(t, Read(f, make([]float32, 12), 0, 3, make([]byte, buf)), message)
			wantMessage(t, Read(f, make([]float64, 12), 0, 3, make([]byte, buf)), message)
		}
	}
}

func TestReadPanicsOutsideTheMatrix(t *testing.T) {
	f := open(t, "testdata/numpy/f8-little-C-v1.npy")
	for _, c := range [][3]int64{{-1, 1, 15}, {0, -1, 15}, {3, 1, 15}, {0, 4, 20}, {1, math.MaxInt64, 15}, {0, 3, 14}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d vectors from %d into %d elements were read", c[1], c[0], c[2])
				}
			}()
			_ = Read(f, make([]float64, c[2]), c[0], c[1], nil)
		}()
	}
}

func TestAVectorIsARowOnTheLeftAndAColumnOnTheRight(t *testing.T) {
	in := open(t, "testdata/numpy/vector.npy").Info
	row, col := in.AsRow(), in.AsColumn()
	if row.Rows != 1 || row.Cols != 6 || col.Rows != 6 || col.Cols != 1 || row.AsColumn() != col || col.AsRow() != row {
		t.Errorf("got %+v and %+v", row, col)
	}
	if in.Shape() != "(6,)" || row.Shape() != "(6,)" || in.DataSize() != 48 {
		t.Errorf("got %s, %s, %d", in.Shape(), row.Shape(), in.DataSize())
	}
	m := open(t, "testdata/numpy/f8-little-C-v1.npy").Info
	if m.AsRow() != m || m.AsColumn() != m || m.Shape() != "(3, 5)" {
		t.Errorf("a matrix changed: %+v", m)
	}
	f := open(t, "testdata/numpy/vector.npy")
	f.Info = f.AsRow()
	got := make([]float64, 6)
	if err := Read(f, got, 0, 1, nil); err != nil || got[5] != 5 {
		t.Errorf("got %v, %v", got, err)
	}
}
