//go:build failpoint

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"matmul/internal/elem"
)

// TestFlippedBitsAreRepairedInABatch flips a bit in C of one of many jobs that one
// processor does, in a panel of one that the workers do, and then in all tiles.
func TestFlippedBitsAreRepairedInABatch(t *testing.T) {
	dir := t.TempDir()
	matrix(t, dir, "s.npy", 70, 70, elem.Float64, 1)
	matrix(t, dir, "l.npy", 840, 840, elem.Float64, 2) // a product of these is more than one processor does
	jobs := map[string]string{}
	for by, of := range map[string]struct {
		jobs int
		a    string
	}{"one": {400, "s.npy"}, "workers": {2, "l.npy"}} {
		for i := range of.jobs {
			jobs[by] += fmt.Sprintf(`{"id": "j%d", "a": %q, "b": %[2]q, "out": "%s%[1]d.npy"}`+"\n", i, of.a, by)
		}
	}
	do := func(t *testing.T, by, hook, hits string) (code int, r batchReport, said string) {
		t.Helper()
		write(t, filepath.Join(dir, "jobs"), jobs[by])
		file := filepath.Join(t.TempDir(), "hits")
		write(t, file, "")
		cmd := command(dir, "batch", "jobs", "--abft", "--verify", "none", "--force", "--json", "--workers", "2", "--progress", "never")
		cmd.Env = append(os.Environ(), "MATMUL_FAILPOINT="+hook+":"+hits+":flip=62", "MATMUL_FAILPOINT_HITS="+file)
		c := startWith(t, cmd, (*exec.Cmd).Start)
		code = c.wait()
		decode(t, c.stdout.String(), &r)
		return code, r, c.stderr.String()
	}
	for _, f := range []struct{ by, hook, hit string }{
		{"one", "gemm.stored", "250"}, // the first ones, at most a hundred, are of what the batch measures
		{"workers", "worker.packed", "1"},
	} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			code, r, said := do(t, f.by, f.hook, "0")
			if code != 0 || r.ABFT == nil || r.ABFT.Wrong != 0 || said != "" {
				t.Fatalf("exit status %d, %+v, without a flip: %s", code, r, said)
			}
			want := sum(t, filepath.Join(dir, f.by+"0.npy"))
			code, r, said = do(t, f.by, f.hook, f.hit)
			if code != 0 || r.ABFT == nil || r.ABFT.Wrong < 1 {
				t.Fatalf("exit status %d, %+v: %s", code, r.ABFT, said)
			}
			all := 0
			for _, j := range r.Jobs {
				if j.ABFT == nil {
					t.Fatalf("%+v has no counts", j)
				}
				all += j.ABFT.Wrong
				if n := strings.Count(said, "matmul: job "+j.ID+": "); n != j.ABFT.Wrong {
					t.Errorf("job %s: %d lines, counts %+v: %s", j.ID, n, j.ABFT, said)
				}
				if got := sum(t, filepath.Join(dir, j.Out)); got != want {
					t.Errorf("%s differs from what it is without a flip", j.Out)
				}
			}
			if all != r.ABFT.Wrong {
				t.Errorf("jobs have %d wrong tiles, and all together %d", all, r.ABFT.Wrong)
			}
		})
	}
	for by := range jobs {
		before := list(dir)
		code, r, said := do(t, by, "gemm.stored", "1-1000000")
		if code != exitWrong || r.Done != 0 || !strings.Contains(said, "fails its check again and again") || !strings.Contains(said, "the machine is faulty") {
			t.Errorf("%s: exit status %d, %d done: %s", by, code, r.Done, said)
		}
		if after := list(dir); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: files were %q and are %q", by, before, after)
		}
	}
}
