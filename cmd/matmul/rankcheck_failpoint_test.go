//go:build mpi && failpoint

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRanksFindAWrongElement: whichever rank has made it, all that check their
// shares end with the one line and the status of a wrong C, and nothing is written.
func TestRanksFindAWrongElement(t *testing.T) {
	dir := t.TempDir()
	runCommand(t, dir, "gen", "-o", "a.npy", "--rows", "97", "--cols", "97")
	for _, method := range []string{"freivalds", "exact"} {
		for hit := 1; hit <= 3; hit++ { // one block of C for each rank
			hits := filepath.Join(t.TempDir(), "hits")
			if err := os.WriteFile(hits, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := onRanks(dir, 3, "run", "a.npy", "a.npy", "-o", "c.npy", "--verify", method)
			cmd.Env = append(os.Environ(), fmt.Sprintf("MATMUL_FAILPOINT=gemm.stored:%d:flip=62", hit), "MATMUL_FAILPOINT_HITS="+hits)
			r := startWith(t, cmd, (*exec.Cmd).Start)
			code, said := r.wait(), r.stderr.String()
			if code != exitWrong || strings.Count(said, "c.npy: is not the product: 1 ") != 1 || exists(filepath.Join(dir, "c.npy")) {
				t.Errorf("%s, hit %d: status %d: %s", method, hit, code, said)
			}
		}
	}
}
