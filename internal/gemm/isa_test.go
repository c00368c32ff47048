package gemm

import (
	"errors"
	"slices"
	"testing"
	"time"

	"matmul/internal/elem"
)

func TestISANamesParseBack(t *testing.T) {
	for _, i := range []ISA{Auto, Generic, AVX2, AVX512} {
		if got, err := ParseISA(i.String()); got != i || err != nil {
			t.Errorf("ParseISA(%q) = %v, %v", i.String(), got, err)
		}
	}
	if _, err := ParseISA("sse"); err == nil {
		t.Error("ParseISA took a name that is none")
	}
}

func TestLookupFindsWhatIsSupportedAndNothingElse(t *testing.T) {
	for _, typ := range []elem.Type{elem.Float64, elem.Float32} {
		for _, i := range []ISA{Generic, AVX2, AVX512} {
			k, err := Lookup(i, typ)
			if slices.Contains(Supported(), i) {
				if err != nil || k.ISA != i || k.Type != typ {
					t.Errorf("Lookup(%v, %v) = %v, %v", i, typ, k, err)
				}
			} else if !errors.Is(err, ErrISA) {
				t.Errorf("Lookup(%v, %v): got %v, want ErrISA", i, typ, err)
			}
		}
		has := Supported()
		if k, err := Lookup(Auto, typ); err != nil || k.ISA != has[len(has)-1] {
			t.Errorf("Lookup(auto, %v) = %v, %v", typ, k, err)
		}
	}
}

func TestPeakIsPositive(t *testing.T) {
	for _, k := range append(kernels[float64](t), kernels[float32](t)...) {
		p := Peak(k, 5*time.Millisecond)
		t.Logf("%v %v: %.1f GFLOP/s", k, k.Type, p)
		if !(p > 0) {
			t.Errorf("%v: got %v", k, p)
		}
	}
}
