package main

import (
	"flag"
	"fmt"
	"testing"
)

// A campaign of faults can be run in pieces, and a run that failed again:
//
//	go test -tags campaign -timeout 0 -v -run EveryCallThatFails -seeds 1:100 ./cmd/matmul
var seeds = flag.String("seeds", "", "FROM:TO, the runs of a campaign of faults (default: all)")

// runs returns the runs that are asked for: those of -seeds, or else 1 to full
// in a campaign and 1 to short otherwise.
func runs(t *testing.T, short, full uint64) (from, to uint64) {
	t.Helper()
	from, to = 1, short
	if campaign {
		to = full
	}
	if *seeds != "" {
		if _, err := fmt.Sscanf(*seeds, "%d:%d", &from, &to); err != nil || from < 1 || to < from {
			t.Fatalf("-seeds %q: want FROM:TO", *seeds)
		}
	}
	return from, to
}
