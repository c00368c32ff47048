package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"matmul/internal/elem"
)

// packings returns how many elements the workers packed of A and B, job by job, by
// the trace of a batch.
func packings(t *testing.T, path string) map[string]int64 {
	t.Helper()
	var trace struct {
		Events []struct {
			Name string `json:"name"`
			Args struct {
				Job     string `json:"job"`
				Rows    string `json:"rows"`
				Columns string `json:"columns"`
			} `json:"args"`
		} `json:"traceEvents"`
	}
	if err := json.Unmarshal([]byte(read(path)), &trace); err != nil {
		t.Fatal(err)
	}
	packed := map[string]int64{}
	for _, e := range trace.Events {
		if e.Name != "pack A" && e.Name != "pack B" {
			continue
		}
		var r0, r1, c0, c1 int64
		if _, err := fmt.Sscanf(e.Args.Rows+" "+e.Args.Columns, "%d:%d %d:%d", &r0, &r1, &c0, &c1); err != nil {
			t.Fatalf("%v: %+v", err, e)
		}
		packed[e.Args.Job] += (r1 - r0) * (c1 - c0)
	}
	return packed
}

// TestOperandsArePackedOnceAndIntermediateResultsAreNotReadAgain has jobs of the
// workers that read the same operands, in all ways in which they can be packed, and
// outputs of each other. What is packed is read off the trace, and outputs are
// compared with those of run.
func TestOperandsArePackedOnceAndIntermediateResultsAreNotReadAgain(t *testing.T) {
	dir := t.TempDir()
	const n = 830
	for i, name := range []string{"a.npy", "b.npy"} {
		matrix(t, dir, name, n, n, elem.Float64, uint64(i))
	}
	flags := map[string][]string{}
	var reads map[string]int64 // elements that the workers pack of a job, or of all its like together
	var list strings.Builder
	add := func(a, b, after, fields string, more ...string) string {
		out := fmt.Sprintf("c%d.npy", len(flags))
		flags[out] = append([]string{"run", a, b, "-o", "ref-" + out}, more...)
		fmt.Fprintf(&list, `{"a": %q, "b": %q, "out": %q, "after": [%s]%s}`+"\n", a, b, out, after, fields)
		return out
	}
	kinds := map[string]string{}
	for range 3 {
		kinds[add("a.npy", "b.npy", "", "")] = "as stored"
		kinds[add("a.npy", "b.npy", "", `, "trans_a": true`, "--trans-a")] = "A transposed"
		kinds[add("b.npy", "a.npy", "", `, "trans_b": true, "alpha": 3`, "--trans-b", "--alpha", "3")] = "B transposed"
		kinds[add("a.npy", "a.npy", "", `, "dtype": "float32"`, "--dtype", "float32")] = "in float32"
	}
	// The panels of B are those of others: B as stored is that of two kinds.
	reads = map[string]int64{"as stored": 2 * n * n, "A transposed": n * n, "B transposed": 2 * n * n, "in float32": 2 * n * n}
	for _, c := range []struct {
		a, b, after, fields string
		flags               []string
		reads               int64
	}{
		{"c0.npy", "b.npy", `"c0.npy"`, "", nil, 0},
		{"a.npy", "c0.npy", `"c0.npy"`, `, "trans_b": true, "alpha": 0.5`, []string{"--trans-b", "--alpha", "0.5"}, 0},
		{"c12.npy", "c12.npy", `"c12.npy"`, `, "trans_a": true`, []string{"--trans-a"}, 0},
		{"c0.npy", "b.npy", `"c0.npy"`, `, "dtype": "float32"`, []string{"--dtype", "float32"}, 2 * n * n},
	} {
		out := add(c.a, c.b, c.after, c.fields, c.flags...)
		kinds[out], reads[out] = out, c.reads
	}
	reads["c13.npy"] = n * n // A times 0.5 is nobody else's
	write(t, filepath.Join(dir, "jobs.jsonl"), list.String())
	var r batchReport
	decode(t, runCommand(t, dir, "batch", "jobs.jsonl", "--workers", "2", "--json", "--trace", "t.json"), &r)
	if r.Done != len(flags) {
		t.Errorf("%d jobs are done, want %d", r.Done, len(flags))
	}
	for out, run := range flags {
		runCommand(t, dir, run...)
		if sum(t, filepath.Join(dir, out)) != sum(t, filepath.Join(dir, "ref-"+out)) {
			t.Errorf("%s differs from that of matmul %s", out, strings.Join(run, " "))
		}
	}
	got := map[string]int64{}
	for job, elements := range packings(t, filepath.Join(dir, "t.json")) {
		got[kinds[job]] += elements
	}
	if together := got["as stored"] + got["A transposed"]; together != 3*n*n {
		t.Errorf("jobs whose B is as stored packed %d elements, want %d: each operand once", together, 3*n*n)
	}
	taken := 0
	for kind, want := range reads {
		if kind != "as stored" && kind != "A transposed" && got[kind] != want {
			t.Errorf("%s: %d elements were packed, want %d", kind, got[kind], want)
		}
	}
	for _, j := range r.Jobs {
		taken += j.Taken
	}
	packed := int64(0)
	for _, elements := range got {
		packed += elements
	}
	if all := int64(2 * len(flags)); int64(taken) != all-packed/(n*n) {
		t.Errorf("%d operands of %d were found in memory, and %d elements were packed", taken, all, packed)
	}
}

// TestSharesGiveWayToAJobThatNeedsTheMemory has no memory for more than a job and a
// little.
func TestSharesGiveWayToAJobThatNeedsTheMemory(t *testing.T) {
	dir := t.TempDir()
	var list strings.Builder
	for i := range 4 {
		matrix(t, dir, fmt.Sprintf("a%d.npy", i), 900, 900, elem.Float64, uint64(i))
	}
	for i := range 12 {
		fmt.Fprintf(&list, `{"a": "a%d.npy", "b": "a%d.npy", "out": "c%d.npy"}`+"\n", i%4, (i+1)%4, i)
	}
	write(t, filepath.Join(dir, "jobs.jsonl"), list.String())
	var plan batchPlan
	decode(t, runCommand(t, dir, "batch", "jobs.jsonl", "--workers", "2", "--plan", "--json"), &plan)
	most := int64(0)
	for _, j := range plan.Jobs {
		most = max(most, j.Bytes)
	}
	var r batchReport
	decode(t, runCommand(t, dir, "batch", "jobs.jsonl", "--workers", "2", "--json", "--memory", fmt.Sprint(most+8<<20)), &r)
	if r.Done != 12 {
		t.Errorf("%d jobs are done, want 12", r.Done)
	}
	for i := range 12 {
		runCommand(t, dir, "run", fmt.Sprintf("a%d.npy", i%4), fmt.Sprintf("a%d.npy", (i+1)%4), "-o", fmt.Sprintf("ref%d.npy", i))
		if sum(t, filepath.Join(dir, fmt.Sprintf("c%d.npy", i))) != sum(t, filepath.Join(dir, fmt.Sprintf("ref%d.npy", i))) {
			t.Errorf("c%d.npy differs from that of run", i)
		}
	}
}
