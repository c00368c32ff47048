package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"matmul/internal/elem"
)

// TestABatchWritesAllFormats compares outputs of small products and of those of the
// workers with those of run, in each format, and has jobs that read them. With the
// log gone, all are made once more and are found to be right.
func TestABatchWritesAllFormats(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int64{60, 830} {
		matrix(t, dir, fmt.Sprintf("%d.npy", n), n, n, elem.Float64, uint64(n))
	}
	var jobs strings.Builder
	refs := map[string][]string{}
	for _, n := range []string{"60", "830"} {
		for _, ext := range []string{"npz", "mtx", "csv", "tsv", "txt", "raw"} {
			a, out := n+".npy", "c"+n+"."+ext
			fmt.Fprintf(&jobs, `{"a": %q, "b": %q, "out": %q, "dtype": "float32"}`+"\n", a, a, out)
			refs[out] = []string{"run", a, a, "-o", "ref-" + out, "--dtype", "float32"}
			if ext == "raw" {
				continue // which does not say what it holds
			}
			fmt.Fprintf(&jobs, `{"a": %q, "b": %q, "out": %q, "after": [%q]}`+"\n", out, a, "d"+out+".npy", out)
			refs["d"+out+".npy"] = []string{"run", "ref-" + out, a, "-o", "ref-d" + out + ".npy"}
		}
	}
	write(t, filepath.Join(dir, "jobs.jsonl"), jobs.String())
	for _, args := range [][]string{nil, {"--resume"}} {
		var r batchReport
		decode(t, runCommand(t, dir, append([]string{"batch", "jobs.jsonl", "--workers", "2", "--json", "--joblog", "log" + fmt.Sprint(len(args))}, args...)...), &r)
		if r.Done != len(refs) {
			t.Fatalf("%v: %d jobs are done, want %d: %+v", args, r.Done, len(refs), r)
		}
	}
	for _, prefix := range []string{"c", "d"} {
		for out, run := range refs {
			if !strings.HasPrefix(out, prefix) {
				continue
			}
			runCommand(t, dir, run...)
			if sum(t, filepath.Join(dir, out)) != sum(t, filepath.Join(dir, "ref-"+out)) {
				t.Errorf("%s differs from that of matmul %s", out, strings.Join(run, " "))
			}
		}
	}
	for _, name := range list(dir) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s is left", name)
		}
	}
}
