package matfile

import (
	"bytes"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/sbinet/npyio/npy"
	"pgregory.net/rapid"

	"matmul/internal/elem"
)

func TestWhatIsWrittenInAnyPiecesIsReadBackInAnyPieces(t *testing.T) {
	t.Chdir(t.TempDir())
	rapid.Check(t, func(t *rapid.T) {
		defer os.Remove("C.npy")
		roundTrip(t, func(bits uint64) float64 { return math.Float64frombits(bits) })
	})
	rapid.Check(t, func(t *rapid.T) {
		defer os.Remove("C.npy")
		roundTrip(t, func(bits uint64) float32 { return math.Float32frombits(uint32(bits)) })
	})
}

func roundTrip[T elem.Float](t *rapid.T, value func(uint64) T) {
	rows, cols := rapid.Int64Range(0, 12).Draw(t, "rows"), rapid.Int64Range(0, 12).Draw(t, "cols")
	bits := rapid.SliceOfN(rapid.Uint64(), int(rows*cols), int(rows*cols)).Draw(t, "bits")
	src := make([]T, len(bits))
	for i := range src {
		src[i] = value(bits[i])
	}
	o, err := create("C.npy", rows, cols, elem.Of[T](), false, rapid.Bool().Draw(t, "unnamed"))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Abort()
	for at := 0; at < len(src); {
		n := rapid.IntRange(1, len(src)-at).Draw(t, "written")
		if err := Write(o, src[at:at+n], int64(at)); err != nil {
			t.Fatal(err)
		}
		at += n
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	readBack(t, src)
}

func readBack[T elem.Float](t *rapid.T, src []T) {
	f, err := Open("C.npy")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]T, len(src))
	for first := int64(0); first < f.Rows; {
		n := rapid.Int64Range(1, f.Rows-first).Draw(t, "read")
		if err := Read(f, got[first*f.Cols:], first, n, nil); err != nil {
			t.Fatal(err)
		}
		first += n
	}
	if !bytes.Equal(elem.Bytes(got), elem.Bytes(src)) {
		t.Fatalf("wrote %v, read %v", src, got)
	}
	if err := f.Changed(); err != nil {
		t.Fatal(err)
	}
	if len(src) > 0 { // npyio takes no empty arrays
		content, err := os.ReadFile("C.npy")
		if err != nil {
			t.Fatal(err)
		}
		var theirs []T
		if err := npy.Read(bytes.NewReader(content), &theirs); err != nil || !slices.EqualFunc(theirs, src, sameValue[T]) {
			t.Fatalf("npyio: %v: read %v, wrote %v", err, theirs, src)
		}
	}
}

func sameValue[T elem.Float](a, b T) bool { return a == b || a != a && b != b }
