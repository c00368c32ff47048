package shmmat

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"matmul/internal/sys"
)

func someLayout(t interface{ Fatal(...any) }) Layout {
	l, err := NewLayout(Lengths{RowsA: 100, PanelsA: 3 << 20, C: 70000})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRegionsLieApartAtHugePageOffsets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var length Lengths
		for r := Control; r < regions; r++ {
			length[r] = rapid.Int64Range(0, 10<<20).Draw(t, r.String())
		}
		l, err := NewLayout(length)
		if err != nil {
			t.Fatal(err)
		}
		end := l.At[Header].Len
		for r := Control; r < regions; r++ {
			e := l.At[r]
			if e.Len < length[r] || e.Len > 0 && length[r] == 0 {
				t.Fatalf("%s: %d bytes for %d", r, e.Len, length[r])
			}
			if e.Len == 0 {
				continue
			}
			if e.Off%sys.HugePageSize != 0 || e.Off < end+sys.PageSize {
				t.Fatalf("%s at %d, the region before ends at %d", r, e.Off, end)
			}
			end = e.Off + e.Len
		}
		if l.Size != end || l.check() != nil {
			t.Fatalf("size %d, end %d, check %v", l.Size, end, l.check())
		}
	})
}

func TestNewLayoutRefusesWhatOverflows(t *testing.T) {
	for _, n := range []int64{-1, math.MaxInt64, math.MaxInt64 / 2} {
		if _, err := NewLayout(Lengths{PanelsA: n, PanelsB: n}); !errors.Is(err, ErrLayout) {
			t.Errorf("%d bytes: got %v, want ErrLayout", n, err)
		}
	}
}

func TestHeaderComesBackAndNoBitOfItMayChange(t *testing.T) {
	l := someLayout(t)
	b := encodeHeader(Posix, l)
	k, got, err := decodeHeader(b, l.Size)
	if err != nil || k != Posix || got != l {
		t.Fatalf("got %v %v %v", k, got, err)
	}
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if _, _, err := decodeHeader(b, l.Size); !errors.Is(err, ErrLayout) {
			t.Errorf("bit %d changed: got %v, want ErrLayout", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	for n := range b {
		if _, _, err := decodeHeader(b[:n], l.Size); !errors.Is(err, ErrLayout) {
			t.Errorf("cut to %d bytes: got %v, want ErrLayout", n, err)
		}
	}
	if _, _, err := decodeHeader(b, l.Size-1); !errors.Is(err, ErrLayout) {
		t.Errorf("segment of another size: got %v", err)
	}
}

func FuzzHeader(f *testing.F) {
	l := someLayout(f)
	f.Add(encodeHeader(Memfd, l), l.Size)
	f.Add([]byte(headerMagic), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if len(b) >= headerSize { // let the fuzzer get past the checksum
			sealHeader(b)
		}
		k, l, err := decodeHeader(b, size)
		if err != nil {
			return
		}
		if l.check() != nil || l.Size != size || int(k) >= len(kindNames) {
			t.Errorf("accepted %v %+v of %d bytes", k, l, size)
		}
	})
}
