package gen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"matmul/internal/elem"
	"matmul/internal/matfile"
)

// made returns the file that Write makes, in bands of the given size.
func made[T elem.Float](t *testing.T, s Spec, rows, cols, band int64, workers int) []byte {
	t.Helper()
	path := t.TempDir() + "/A.npy"
	out, err := matfile.Create(path, rows, cols, elem.Of[T](), false)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Abort()
	if err := write[T](t.Context(), out, s, nil, band, workers); err != nil {
		t.Fatal(err)
	}
	if err := out.Commit(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func checkSum(t *testing.T, kind Kind, dtype string, seed uint64, rows, cols int64, want string) {
	t.Helper()
	var content []byte
	if dtype == "f8" {
		content = made[float64](t, Spec{kind, seed}, rows, cols, band, 2)
	} else {
		content = made[float32](t, Spec{kind, seed}, rows, cols, band, 2)
	}
	sum := sha256.Sum256(content)
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("%s %s, seed %d, %d × %d: got %s, want %s", kind, dtype, seed, rows, cols, got, want)
	}
}

func TestNumPyMakesTheSameBytes(t *testing.T) {
	for _, c := range []struct { // printed by testdata/oracle.py
		kind       Kind
		dtype      string
		seed       uint64
		rows, cols int64
		sum        string
	}{
		{"uniform", "f8", 1, 61, 101, "c195e7a0b80a5927b70d4610ba409e29900e9f4d9e477bd1f5393c2e4abf8ccb"},
		{"uniform", "f4", 1, 61, 101, "98b72865ec839790e661a9e0dc032dce56a204dc595ebd392dd3fdd1b994b635"},
		{"integer", "f8", 1, 61, 101, "8991326e1bed360edd0063aa6a2c535830849add88dc2030a7130ecb63137c62"},
		{"integer", "f4", 1, 61, 101, "388d6fe95839d7c62aaf6d16379123d999c6eaf16d50a6ef04c455d2a99c28d0"},
		{"identity", "f8", 1, 61, 101, "84415cea87f3a3e2bc75447fcfed7d2534cd3ab37cf26b316c8f5debff70a626"},
		{"identity", "f4", 1, 61, 101, "2e71f99bc1dc2c7fbb3efee7e69339bd37b17d22b8d0c9fc8a394bcefda409ae"},
		{"uniform", "f8", 2, 7, 1, "acb9b2b925fee60960113b4c78fed75995f45bc4a87feb7aecdd0647144f7a41"},
		{"uniform", "f4", 2, 7, 1, "84d53c591469f8577fd221220b9e19901ce2d2bbc39db05a6e566e70304d60ce"},
		{"integer", "f8", 2, 7, 1, "23473e684255c64076727f75ae0c20116c75ce0e0501b593290125ee1adcc4da"},
		{"integer", "f4", 2, 7, 1, "bccde18c84f570bcfc922785b9932532e3761050da80bdf2dc29d5d97257db56"},
		{"identity", "f8", 2, 7, 1, "7e6addd43eb258abe459d406e9fdf037038fe31fb561a953ebed6f8bc7b42a7c"},
		{"identity", "f4", 2, 7, 1, "61ae6ee4d8fa28903d2a6d84eec61d85b7ea6ddb021d1b0d96fdb62ef86f36fc"},
		{"uniform", "f8", 18446744073709551615, 1, 1001, "a0d2d597e84dd6e3a6b9070404f8aaea21f0db09938b828798b8438f73ade0a2"},
		{"uniform", "f4", 18446744073709551615, 1, 1001, "11964e49742ec09b9b2fd978827ae4ec9370a8987d31ba4cf373fa3c7d7705b7"},
		{"integer", "f8", 18446744073709551615, 1, 1001, "89268a8dc07de25c9abb5484db9ea77d7fe7fb515ac9f6adeb98a4b8f114cb79"},
		{"integer", "f4", 18446744073709551615, 1, 1001, "e604b2d84d85ed0584e9c00e4a8836727311a640728393a6333e53f586291b0a"},
		{"identity", "f8", 18446744073709551615, 1, 1001, "e572f2194a64fbab487dfa17c236330efb7599e8f99afb07d64aef346b69608e"},
		{"identity", "f4", 18446744073709551615, 1, 1001, "b9d4f5a364b1a275f68154cef1c98e201b58c1188b0c1c4859cd11fb3b65c78e"},
		{"uniform", "f8", 0, 0, 5, "94ee59b6f3ec3030412a6ec8d67dc381ce47b1a375c133e35a5095553e1402b7"},
		{"uniform", "f4", 0, 0, 5, "b828660c6cd55dc0a936d62e489f278599871eac53ae09b15f811b90b2668ec4"},
		{"integer", "f8", 0, 0, 5, "94ee59b6f3ec3030412a6ec8d67dc381ce47b1a375c133e35a5095553e1402b7"},
		{"integer", "f4", 0, 0, 5, "b828660c6cd55dc0a936d62e489f278599871eac53ae09b15f811b90b2668ec4"},
		{"identity", "f8", 0, 0, 5, "94ee59b6f3ec3030412a6ec8d67dc381ce47b1a375c133e35a5095553e1402b7"},
		{"identity", "f4", 0, 0, 5, "b828660c6cd55dc0a936d62e489f278599871eac53ae09b15f811b90b2668ec4"},
	} {
		checkSum(t, c.kind, c.dtype, c.seed, c.rows, c.cols, c.sum)
	}
}

func TestNormalMakesTheSameBytesAsEver(t *testing.T) {
	checkSum(t, Normal, "f8", 1, 61, 101, "4c034fb110e1df347ccf31064d585c080d08ddf819fbb1c0b190c6ef015d476c")
	checkSum(t, Normal, "f4", 1, 61, 101, "eec04d42322d73e7beed5038356d0ac68a73e156945bbffc759406dfd9c507e1")
	checkSum(t, Normal, "f8", 7, 1000, 1000, "6d5599898ecc5090686f6227d467d2130ecbe5e483846cbce50b93ebf221232b")
}

func TestPhiloxMakesTheWordsOfNumPy(t *testing.T) {
	// np.random.Philox(key=1).random_raw(5)
	want := []uint64{0x4db6a27b756282df, 0xd944fa03babe0e2f, 0x27f872e577060d32, 0x7f697696a0482a2, 0xe677fe4bbd0452ec}
	for first := range want {
		n := 0
		words(1, uint64(first), len(want)-first, func(i int, w uint64) {
			if n++; w != want[first+i] {
				t.Errorf("word %d, begun at %d: got %x, want %x", first+i, first, w, want[first+i])
			}
		})
		if n != len(want)-first {
			t.Errorf("%d words from %d", n, first)
		}
	}
}

func TestBandsAndGoroutinesDoNotChangeTheBytes(t *testing.T) {
	for _, kind := range Kinds() {
		s := Spec{kind, 42}
		want8, want4 := made[float64](t, s, 37, 53, band, 1), made[float32](t, s, 37, 53, band, 1)
		for _, b := range []int64{1, 3, 4, 52, 53, 54, 107, 1960} {
			for _, workers := range []int{1, 3} {
				if !bytes.Equal(made[float64](t, s, 37, 53, b, workers), want8) || !bytes.Equal(made[float32](t, s, 37, 53, b, workers), want4) {
					t.Errorf("%s: bands of %d by %d goroutines differ", kind, b, workers)
				}
			}
		}
	}
}

func TestIdentityHasOnesOnTheDiagonalOfAnyShape(t *testing.T) {
	for _, shape := range [][2]int64{{1, 1}, {5, 5}, {3, 8}, {8, 3}, {1, 9}, {9, 1}, {0, 4}, {4, 0}} {
		rows, cols := shape[0], shape[1]
		for size := int64(1); size <= rows*cols; size++ {
			for first := int64(0); first < rows*cols; first += size {
				dst := make([]float64, min(size, rows*cols-first))
				fill(dst, Spec{Kind: Identity}, first, cols)
				for i, v := range dst {
					e := first + int64(i)
					if (v == 1) != (e/cols == e%cols) || v != 0 && v != 1 {
						t.Fatalf("%d × %d: element %d of a band of %d is %v", rows, cols, e, size, v)
					}
				}
			}
		}
	}
}

func TestProgressCountsUpToAllElements(t *testing.T) {
	out := create(t, 300, 1000)
	var last int64
	err := Write(t.Context(), out, Spec{Kind: Integer}, func(done, total int64) {
		if done <= last || total != 300_000 {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil || last != 300_000 {
		t.Errorf("%d done, %v", last, err)
	}
}

func create(t *testing.T, rows, cols int64) *matfile.Output {
	t.Helper()
	out, err := matfile.Create(t.TempDir()+"/A.npy", rows, cols, elem.Float64, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Abort() })
	return out
}

func TestWriteStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := write[float64](ctx, create(t, 1000, 1000), Spec{Kind: Uniform}, func(done, _ int64) {
		if cancel(); done > 100 {
			t.Errorf("%d elements were written", done)
		}
	}, 10, 2)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWriteReportsAFailingFile(t *testing.T) {
	out := create(t, 10, 10)
	out.Abort()
	if err := Write(t.Context(), out, Spec{Kind: Uniform}, nil); !errors.Is(err, os.ErrClosed) || !strings.HasPrefix(err.Error(), "write "+out.Path) {
		t.Errorf("got %v", err)
	}
}

func TestParseKindKnowsTheKindsAndNamesThem(t *testing.T) {
	for _, k := range Kinds() {
		if got, err := ParseKind(string(k)); got != k || err != nil {
			t.Errorf("%s: got %q, %v", k, got, err)
		}
	}
	const want = `unknown kind "gauss": want uniform, normal, integer, identity`
	if _, err := ParseKind("gauss"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := Write(t.Context(), create(t, 1, 1), Spec{}, nil); err == nil {
		t.Error("no kind was accepted")
	}
}
