package worker

import (
	"testing"

	"pgregory.net/rapid"

	"matmul/shmmat"
	"matmul/tiling"
)

func TestPiecesFitTheBufferAndKeepPanelsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.OneOf(rapid.Int64Range(1, 100), rapid.Int64Range(1, 1<<40))
		order := shmmat.Order(rapid.IntRange(0, 1).Draw(t, "order"))
		align := rapid.Int64Range(1, 64).Draw(t, "align")
		group := align * rapid.Int64Range(1, 12).Draw(t, "group")
		r := tiling.Rect{R1: side.Draw(t, "rows"), C1: side.Draw(t, "cols")}
		rows, cols := pieces(order, align, group, r)
		if rows < 1 || cols < 1 || rows%align != 0 || rows > group && rows%group != 0 {
			t.Fatalf("%d×%d in pieces of %d×%d, aligned to %d, in groups of %d", r.R1, r.C1, rows, cols, align, group)
		}
		if n := min(rows, r.R1) * min(cols, r.C1); n > blockElems {
			t.Fatalf("%d×%d in pieces of %d×%d: %d elements, the buffer holds %d", r.R1, r.C1, rows, cols, n, blockElems)
		}
	})
}

func TestACrashSaysItsFirstLine(t *testing.T) {
	for _, c := range []struct {
		writes []string
		want   string
	}{
		{nil, ""},
		{[]string{"runtime: out of memory\n", "goroutine 1:\n"}, "runtime: out of memory"},
		{[]string{"cut ", "in two\nmore"}, "cut in two"},
		{[]string{"\n", "the second line is not the first"}, ""},
	} {
		var f firstLine
		for _, w := range c.writes {
			if n, err := f.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("write of %q: %d, %v", w, n, err)
			}
		}
		if got := f.String(); got != c.want {
			t.Errorf("%q: got %q, want %q", c.writes, got, c.want)
		}
	}
}
