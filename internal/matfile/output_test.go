package matfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"matmul/internal/elem"
)

// newOutput creates a 2 × 3 output with the elements 0 to 5.
func newOutput(t *testing.T, path string, force, unnamed bool) *Output {
	t.Helper()
	o, err := create(path, 2, 3, elem.Float64, force, unnamed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Abort() })
	if err := Write(o, []float64{0, 1, 2, 3, 4, 5}, 0); err != nil {
		t.Fatal(err)
	}
	return o
}

// eachWay runs a test with a file without a name and with a named part file.
func eachWay(t *testing.T, f func(t *testing.T, unnamed bool)) {
	for _, unnamed := range []bool{true, false} {
		t.Run(fmt.Sprintf("unnamed=%v", unnamed), func(t *testing.T) {
			t.Chdir(t.TempDir())
			f(t, unnamed)
		})
	}
}

func TestCommitWritesTheFileThatNumPyWrites(t *testing.T) {
	want := get(t, "testdata/numpy/f8-little-C-v1.npy")
	want4 := get(t, "testdata/numpy/f4-little-C-v1.npy")
	eachWay(t, func(t *testing.T, unnamed bool) {
		var e8 [15]float64
		var e4 [15]float32
		for i := range e8 {
			e8[i] = element(elem.Float64, int64(i/5), int64(i%5))
			e4[i] = float32(e8[i])
		}
		save(t, "C8.npy", e8[:], unnamed)
		save(t, "C4.npy", e4[:], unnamed)
		if !bytes.Equal(get(t, "C8.npy"), want) || !bytes.Equal(get(t, "C4.npy"), want4) {
			t.Errorf("got %q\n and %q", get(t, "C8.npy"), get(t, "C4.npy"))
		}
		wantNames(t, ".", "C4.npy", "C8.npy")
	})
}

func save[T elem.Float](t *testing.T, path string, src []T, unnamed bool) {
	t.Helper()
	o, err := create(path, 3, 5, elem.Of[T](), false, unnamed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range src {
		if err := Write(o, src[i:i+1], int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestHeaderIsAlignedAndReadableForEveryShape(t *testing.T) {
	for _, n := range []int64{0, 1, 9, 10, 12345, 1e18} {
		for _, ty := range []elem.Type{elem.Float64, elem.Float32, elem.Bool} {
			h := header(n, 1, ty)
			in, err := Parse(bytes.NewReader(h))
			if err != nil || len(h)%64 != 0 || in.Offset != int64(len(h)) || in.Rows != n || in.Cols != 1 || in.Elem != ty {
				t.Errorf("%q: got %+v, %v", h, in, err)
			}
		}
	}
}

func TestCreateReservesAllOfTheFile(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		o, err := create("C.npy", 1000, 1000, elem.Float64, false, unnamed)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Abort()
		st, err := o.File().Stat()
		if err != nil || st.Size() != 8000128 || st.Sys().(*syscall.Stat_t).Blocks*512 < 8000128 {
			t.Errorf("got %d bytes in %d blocks, %v", st.Size(), st.Sys().(*syscall.Stat_t).Blocks, err)
		}
	})
}

func TestNothingIsVisibleBeforeCommitAndNothingIsLeftByAbort(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		o := newOutput(t, "C.npy", false, unnamed)
		if names := list(t, "."); unnamed && len(names) != 0 || len(names) > 1 || strings.Contains(strings.Join(names, " "), "C.npy") {
			t.Errorf("got %q", names)
		}
		for range 2 {
			if err := o.Abort(); err != nil {
				t.Error(err)
			}
		}
		if err := o.Commit(); err == nil || err.Error() != "commit C.npy: output aborted" {
			t.Errorf("commit after abort: %v", err)
		}
		wantNames(t, ".")
		o = newOutput(t, "C.npy", false, unnamed)
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := o.Abort(); err != nil {
			t.Error(err)
		}
		if err := o.Commit(); err == nil || err.Error() != "commit C.npy: output already committed" {
			t.Errorf("second commit: %v", err)
		}
		wantNames(t, ".", "C.npy")
	})
}

func TestOutputsLeaveNoDescriptorBehind(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		before := len(list(t, "/proc/self/fd"))
		for i := range 6 {
			o := newOutput(t, "C.npy", true, unnamed)
			if i%2 == 0 {
				o.Commit()
			} else {
				o.Abort()
			}
			create("C.npy", 1<<40, 1<<10, elem.Float64, true, unnamed)
		}
		if after := len(list(t, "/proc/self/fd")); after > before {
			t.Errorf("%d descriptors became %d", before, after)
		}
		wantNames(t, ".", "C.npy")
	})
}

func TestASizeThatNoDiskHoldsIsErrNoSpace(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		for _, n := range []int64{1 << 20, 1 << 24, 1 << 30, 1 << 31, 1 << 62} {
			o, err := create("C.npy", n, n, elem.Float64, false, unnamed)
			var e *Error
			if o != nil || !errors.Is(err, ErrNoSpace) || errors.As(err, &e) {
				t.Errorf("%d × %d: got %v", n, n, err)
			}
		}
		wantNames(t, ".")
	})
}

func TestWritePanicsOnAnotherTypeOrOutsideTheMatrix(t *testing.T) {
	t.Chdir(t.TempDir())
	o := newOutput(t, "C.npy", false, true)
	for name, f := range map[string]func(){
		"type":   func() { Write(o, []float32{1}, 0) },
		"before": func() { Write(o, []float64{1}, -1) },
		"beyond": func() { Write(o, []float64{1, 2}, 5) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestSwappedReversesEachElement(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	if got := swapped(b, 4); !bytes.Equal(got, []byte{4, 3, 2, 1, 8, 7, 6, 5}) || b[0] != 1 {
		t.Errorf("got %v of %v", got, b)
	}
}
