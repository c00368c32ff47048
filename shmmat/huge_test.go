package shmmat

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"matmul/internal/sys"
)

func TestHugeStepsAreTheWholeHugePagesOfEachRegionAndTheRest(t *testing.T) {
	const huge = sys.HugePageSize
	l, err := NewLayout(Lengths{Control: huge - 1, PanelsA: 3*huge + 5, C: 2*collapseStep + huge})
	if err != nil {
		t.Fatal(err)
	}
	a, c := l.At[PanelsA].Off, l.At[C].Off
	want := []Extent{
		{l.At[Control].Off, huge}, // rounded up to pages, the region is one
		{a, 3 * huge}, {a + 3*huge, sys.PageSize},
		{c, collapseStep}, {c + collapseStep, collapseStep}, {c + 2*collapseStep, huge},
	}
	if got := hugeSteps(l); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAMemfdIsZeroAndWholeWhateverItsPagesAre(t *testing.T) {
	l, err := NewLayout(Lengths{PanelsA: 5 * sys.HugePageSize, C: 2*sys.HugePageSize + sys.PageSize})
	if err != nil {
		t.Fatal(err)
	}
	small, err := CreateSmall(Memfd, l, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { small.Close() })
	for what, s := range map[string]*Segment{"usual": create(t, Memfd, l), "small pages": small} {
		var file unix.Stat_t
		if err := unix.Fstat(int(s.file.Fd()), &file); err != nil {
			t.Fatal(err)
		}
		if set := file.Blocks * 512; set < l.Bytes() {
			t.Errorf("%s: %d bytes are set aside of %d", what, set, l.Bytes())
		}
		v := view(t, s, All(false))
		for _, r := range []Region{PanelsA, C} {
			if i := slices.IndexFunc(v.Bytes(r), func(b byte) bool { return b != 0 }); i >= 0 {
				t.Errorf("%s: byte %d of %s is not zero", what, i, r)
			}
		}
	}
}
