package tune

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
)

// aProfile is one that fits, with its key and caches.
func aProfile(t testing.TB) (*Profile, Key, CacheSizes) {
	t.Helper()
	k, err := gemm.Lookup(gemm.Auto, elem.Float64)
	if err != nil {
		t.Fatal(err)
	}
	share := CacheSizes{32 << 10, 1 << 20, 16 << 20}
	key := Key{Processor: "AMD EPYC 9R14", Type: "float64", ISA: "auto", Workers: 2}
	return &Profile{Version: ProfileVersion, Key: key, Caches: share, Kernel: k.String(), Choice: Untuned(k, share),
		Measured: []Measured{{1024, 1024, 1024, 100, 0.98}}, Tuned: time.Unix(1e9, 0).UTC()}, key, share
}

func TestAProfileComesBack(t *testing.T) {
	p, key, share := aProfile(t)
	found := p.Choice
	found.KC = 512
	p.Found = &found
	data, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadProfile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := back.encode(); !bytes.Equal(again, data) {
		t.Errorf("came back as\n%s\nnot\n%s", again, data)
	}
	if k, err := back.Fits(key, share); err != nil || k.String() != p.Kernel {
		t.Errorf("kernel %v, %v", k, err)
	}
}

func TestWhatIsNoProfileIsRefused(t *testing.T) {
	p, _, _ := aProfile(t)
	data, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ text, want string }{
		"empty":              {"", "damaged"},
		"half of one":        {string(data[:len(data)/2]), "damaged"},
		"two of them":        {string(data) + string(data), "damaged"},
		"binary":             {"\x7fELF\x00\x01", "damaged"},
		"other JSON":         {`{"a": 1}`, "not a profile"},
		"a list":             {`[]`, "damaged"},
		"null":               {`null`, "not a profile"},
		"an older version":   {strings.Replace(string(data), `"matmul_profile": 1`, `"matmul_profile": 0`, 1), "version 0, want 1"},
		"a newer version":    {strings.Replace(string(data), `"matmul_profile": 1`, `"matmul_profile": 2`, 1), "version 2, want 1"},
		"words for numbers":  {strings.Replace(string(data), `"kc": `, `"kc": "x`, 1), "damaged"},
		"no processor":       {strings.Replace(string(data), "AMD EPYC 9R14", "", 1), "on processor"},
		"negative workers":   {strings.Replace(string(data), `"workers": 2`, `"workers": -2`, 1), "-2 workers"},
		"an unknown type":    {strings.Replace(string(data), `"float64"`, `"int7"`, 1), "unknown element type"},
		"a number too large": {strings.Replace(string(data), `"workers": 2`, `"workers": 99999999999999999999`, 1), "damaged"},
		"huge":               {strings.Repeat(" ", maxProfile) + string(data), "longer than"},
	} {
		got, err := ReadProfile(strings.NewReader(c.text))
		if !errors.Is(err, ErrProfile) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", what, got, err, c.want)
		}
	}
}

func TestAProfileThatDoesNotFitSaysWhy(t *testing.T) {
	for what, c := range map[string]struct {
		change func(p *Profile, key *Key, share *CacheSizes)
		want   string
	}{
		"another processor":      {func(_ *Profile, k *Key, _ *CacheSizes) { k.Processor = "Intel" }, `it is for 2 worker(s), float64, auto on "AMD EPYC 9R14"`},
		"other caches":           {func(_ *Profile, _ *Key, s *CacheSizes) { s.L2 /= 2 }, "other caches"},
		"another kernel":         {func(p *Profile, _ *Key, _ *CacheSizes) { p.Kernel = "avx3 9x9" }, "kernel \"avx3 9x9\""},
		"a kernel not here":      {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.ISA = "neon" }, "unknown instruction set"},
		"any kernel":             {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.ISA = "auto" }, "chooses auto"},
		"a kernel not asked for": {func(p *Profile, k *Key, _ *CacheSizes) { p.Choice.ISA, k.ISA = "avx512", "generic" }, "it chooses avx512, not generic"},
		"KC of nothing":          {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.KC = 0 }, "KC 0"},
		"a negative MC":          {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.MC = -8 }, "MC -8"},
		"NC of a million":        {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.NC = 1 << 20 }, "NC 1048576"},
		"a tile of one row":      {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.TileM, p.Choice.TileN = 1, 4096 }, "tile 1×4096"},
		"half a tile":            {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.TileM = 512 }, "tile 512×0"},
		"a negative tile":        {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.TileM, p.Choice.TileN = -512, -512 }, "tile -512"},
		"a task per element":     {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.Tasks = 1 << 30 }, "tasks per worker"},
		"an order unheard of":    {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.Order = "hilbert" }, `order "hilbert"`},
		"spinning for ever":      {func(p *Profile, _ *Key, _ *CacheSizes) { p.Choice.Spin = time.Hour }, "spin of 1h"},
		"all of the memory": {func(p *Profile, _ *Key, _ *CacheSizes) {
			p.Choice.MC, p.Choice.TileM, p.Choice.TileN = maxBlock, maxTile, maxTile
		}, "of scratch"},
	} {
		p, key, share := aProfile(t)
		c.change(p, &key, &share)
		if _, err := p.Fits(key, share); !errors.Is(err, ErrProfile) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", what, err, c.want)
		}
	}
}

// FuzzProfile wants of any bytes an error, or a profile that can be written and
// read again.
func FuzzProfile(f *testing.F) {
	p, key, share := aProfile(f)
	data, err := p.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"matmul_profile":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ReadProfile(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := p.encode()
		if err != nil || !json.Valid(again) {
			t.Fatalf("%q was read and cannot be written: %v", data, err)
		}
		if k, err := p.Fits(key, share); err == nil && p.Choice.Check(k) != nil {
			t.Fatalf("%+v fits", p.Choice)
		}
	})
}
