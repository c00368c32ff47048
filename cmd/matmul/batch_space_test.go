package main

import (
	"path/filepath"
	"strings"
	"testing"

	"matmul/internal/batch"
	"matmul/internal/sys"
)

// TestOutputsThatDoNotFitTogetherAreRefused has outputs of which each has room by
// itself, and some that were made before.
func TestOutputsThatDoNotFitTogetherAreRefused(t *testing.T) {
	dir := t.TempDir()
	fs, err := sys.FileSystemOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	most := fs.Free / 8 // elements
	q := &queue{}
	for i, part := range []struct {
		of    int64 // of what is free, in percent
		state itemState
	}{{60, itemBefore}, {30, itemWaits}, {90, itemFailed}, {30, itemWaits}, {30, itemWaits}, {30, itemWaits}, {30, itemWaits}} {
		out := filepath.Join(dir, string(rune('a'+i)))
		q.items = append(q.items, &item{Job: &batch.Job{Out: out, Line: i + 1}, state: part.state, size: most / 100 * part.of * 8})
	}
	bad := &listError{name: "jobs"}
	q.affordOutputs(bad)
	if lines := bad.lines(); len(lines) != 1 || !strings.HasPrefix(lines[0], "jobs:6: not enough space in "+dir) || bad.code() != exitResource {
		t.Errorf("got %q, exit status %d", lines, bad.code())
	}
	q.items = q.items[:5]
	bad = &listError{name: "jobs"}
	if q.affordOutputs(bad); bad.problems != nil {
		t.Errorf("outputs that fit: %q", bad.lines())
	}
}
