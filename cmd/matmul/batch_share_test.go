package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"matmul/internal/elem"
)

// TestJobsThatShareOperandsAndReadOutputsOfEachOther has jobs of the workers that
// read the same operands, in all ways in which they can be packed, and outputs of
// each other, and compares their outputs with those of run.
func TestJobsThatShareOperandsAndReadOutputsOfEachOther(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a.npy", "b.npy"} {
		matrix(t, dir, name, 830, 830, elem.Float64, uint64(i))
	}
	flags := map[string][]string{}
	var list strings.Builder
	add := func(a, b, after, fields string, more ...string) {
		out := fmt.Sprintf("c%d.npy", len(flags))
		flags[out] = append([]string{"run", a, b, "-o", "ref-" + out}, more...)
		fmt.Fprintf(&list, `{"a": %q, "b": %q, "out": %q, "after": [%s]%s}`+"\n", a, b, out, after, fields)
	}
	for range 3 {
		add("a.npy", "b.npy", "", "")
		add("a.npy", "b.npy", "", `, "trans_a": true`, "--trans-a")
		add("b.npy", "a.npy", "", `, "trans_b": true, "alpha": 3`, "--trans-b", "--alpha", "3")
		add("a.npy", "a.npy", "", `, "dtype": "float32"`, "--dtype", "float32")
	}
	add("c0.npy", "b.npy", `"c0.npy"`, "")
	add("a.npy", "c0.npy", `"c0.npy"`, `, "trans_b": true, "alpha": 0.5`, "--trans-b", "--alpha", "0.5")
	add("c12.npy", "c12.npy", `"c12.npy"`, `, "trans_a": true`, "--trans-a")
	add("c0.npy", "b.npy", `"c0.npy"`, `, "dtype": "float32"`, "--dtype", "float32")
	write(t, filepath.Join(dir, "jobs.jsonl"), list.String())
	var r batchReport
	decode(t, runCommand(t, dir, "batch", "jobs.jsonl", "--workers", "2", "--json"), &r)
	if r.Done != len(flags) {
		t.Errorf("%d jobs are done, want %d", r.Done, len(flags))
	}
	for out, run := range flags {
		runCommand(t, dir, run...)
		if sum(t, filepath.Join(dir, out)) != sum(t, filepath.Join(dir, "ref-"+out)) {
			t.Errorf("%s differs from that of matmul %s", out, strings.Join(run, " "))
		}
	}
}
