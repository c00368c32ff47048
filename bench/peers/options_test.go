package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"matmul/internal/elem"
)

func TestParseSizes(t *testing.T) {
	for _, c := range []struct {
		text string
		want []size // nil: refused
	}{
		{"1024", []size{{1024, 1024, 1024}}},
		{"1024,2048,4096x4096x64", []size{{1024, 1024, 1024}, {2048, 2048, 2048}, {4096, 4096, 64}}},
		{" 1, 2x3x4 ", []size{{1, 1, 1}, {2, 3, 4}}},
		{"", nil}, {"0", nil}, {"-4", nil}, {"4x4", nil}, {"4x4x4x4", nil}, {"4x0x4", nil}, {"1,,2", nil},
		{"1e3", nil}, {"2147483648", nil}, {"n", nil},
	} {
		got, err := parseSizes(c.text)
		if (err != nil) != (c.want == nil) || !slices.Equal(got, c.want) {
			t.Errorf("parseSizes(%q) = %v, %v; want %v", c.text, got, err, c.want)
		}
	}
}

func TestSizeCountsElementsAndWork(t *testing.T) {
	a, b, c := most([]size{{2, 3, 5}, {7, 1, 1}})
	if a != 10 || b != 15 || c != 7 {
		t.Errorf("most: %d, %d, %d", a, b, c)
	}
	if got := (size{2, 3, 5}).flops(); got != 60 {
		t.Errorf("flops: %v", got)
	}
	if !(size{64, 64, 4096}).within(256) || (size{257, 256, 256}).within(256) {
		t.Error("within compares work")
	}
}

func TestParseOptions(t *testing.T) {
	o, err := parseOptions(strings.Fields("-lib a=/x/liba.so -lib b=/y=z.so -sizes 64,2x3x4 -dtype float32 -workers 3 -reps 20 -alone .9 -within 3m -json -gonum"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := []library{{"a", "/x/liba.so"}, {"b", "/y=z.so"}}; !slices.Equal(o.libs, want) {
		t.Errorf("libraries: %v", o.libs)
	}
	if len(o.sizes) != 2 || o.dtype != elem.Float32 || o.workers != 3 || o.reps != 20 || o.alone != .9 || o.within != 3*time.Minute || !o.asJSON || !o.gonum {
		t.Errorf("%+v", o)
	}
}

func TestParseOptionsHasDefaults(t *testing.T) {
	o, err := parseOptions(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.sizes) == 0 || o.dtype != elem.Float64 || o.workers != 0 || o.reps != 15 || o.asJSON || o.gonum || o.alone != 0 || o.within <= 0 {
		t.Errorf("%+v", o)
	}
}

func TestParseOptionsRefuses(t *testing.T) {
	for name, args := range map[string]string{
		"an unknown flag":               "-nope",
		"an argument":                   "1024",
		"a library without a name":      "-lib =/x.so",
		"a library without a path":      "-lib x",
		"two libraries of one name":     "-lib x=/a -lib x=/b",
		"a library with matmul's name":  "-lib matmul=/a",
		"an unknown type":               "-dtype int8",
		"an unknown instruction set":    "-isa sse",
		"no worker":                     "-workers 0",
		"too many workers":              "-workers 5000",
		"no round":                      "-reps 0",
		"a size of nothing":             "-sizes 0",
		"a largest size of nothing":     "-gonum-max 0",
		"a number of rounds that isn't": "-reps many",
		"a share of the limit above it": "-alone 1",
		"a share that is not a number":  "-alone NaN",
		"no time":                       "-within 0s",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseOptions(strings.Fields(args), io.Discard); !errors.Is(err, errUsage) {
				t.Errorf("%q: %v", args, err)
			}
		})
	}
}

func TestHelpIsPrinted(t *testing.T) {
	var log strings.Builder
	if _, err := parseOptions([]string{"-help"}, &log); !errors.Is(err, flag.ErrHelp) || !strings.Contains(log.String(), "-sizes LIST") {
		t.Errorf("%v, %q", err, log.String())
	}
}

func TestFindLibrariesTakesOneFileOfEach(t *testing.T) {
	installed := map[string][]string{
		known[1].files[0]: {"/usr/lib/x/libblis.so.4"},
		known[2].files[0]: {"/opt/new/libmkl_rt.so.2"},
		known[2].files[2]: {"/usr/lib/x/libmkl_rt.so"},
	}
	got := findLibraries(func(pattern string) []string { return installed[pattern] })
	if want := []library{{"blis", "/usr/lib/x/libblis.so.4"}, {"mkl", "/opt/new/libmkl_rt.so.2"}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got[0].mkl() || !got[1].mkl() {
		t.Error("which one is MKL?")
	}
}

func TestParseStatAddsUserAndSystemTime(t *testing.T) {
	if got := parseStat("12 (a) b) S 1 2 3 4 5 6 7 8 9 10 30 4 0 0 20"); got != 34*tick {
		t.Errorf("%v, want %v", got, 34*tick)
	}
	if got := parseStat("12 (x"); got != 0 {
		t.Errorf("of a torn line: %v", got)
	}
}
