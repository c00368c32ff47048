package main

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"matmul/internal/journal"
	"matmul/internal/matfile"
	"matmul/internal/sys/inject"
)

// callSetups are small commands that together make every call that run and batch
// make, with one worker and the output c.npy. Those with checkpoints make one at
// the end alone, so that the same calls come in the same order each time.
var callSetups = []struct {
	name, args string
	rows       int64 // of C that an earlier run has saved
}{
	{"memfd", "run a.npy b.npy --segment memfd --c0 c0.npy --beta 0.5 --verify freivalds --force", 0},
	{"posix", "run a.npy b.npy --segment posix --verify gonum", 0},
	{"sysv", "run a.npy b.npy --segment sysv --verify exact --json", 0},
	{"file", "run a.npy b.npy --segment file --verify none --dtype float32", 0},
	{"dry-run", "run a.npy b.npy --dry-run", 0},
	{"checkpoint", "run a.npy b.npy --checkpoint 1h --progress never --verify none --force", 0},
	{"resume", "run a.npy b.npy --resume --checkpoint 1h --progress never --verify none", 16},
	{"bands", "run long-a.npy long-b.npy --memory 37MiB --verify none --force", 0},
	{"abft", "run a.npy b.npy --abft --trans-b --verify none", 0},
	{"trace", "run a.npy b.npy --trace trace.json --alpha 2 --verify none", 0},
	{"formats", "run a.npz b.mtx --format csv", 0},
	{"batch", "batch jobs.jsonl --joblog jobs.log", 0},
}

// callJobs is a batch of which the workers do the first job, the master the
// second, and the third reads what they make.
const callJobs = `{"id": "d", "a": "longer-a.npy", "b": "longer-b.npy", "out": "d.npy", "verify": "none"}
{"id": "e", "a": "a.npy", "b": "b.npy", "out": "e.npy", "c0": "c0.npy", "beta": 0.5}
{"a": "d.npy", "b": "e.npy", "out": "c.npy", "after": ["d", "e"]}
`

// callInputs makes what the setups read, and returns where.
func callInputs(t *testing.T) (dir string) {
	t.Helper()
	dir = operands(t, 20)
	for _, m := range []struct{ name, rows, cols string }{
		{"c0.npy", "20", "20"}, {"b.mtx", "20", "20"},
		{"long-a.npy", "20", "20000"}, {"long-b.npy", "20000", "20"},
		{"longer-a.npy", "20", "110000"}, {"longer-b.npy", "110000", "20"},
	} {
		runCommand(t, dir, "gen", "-o", m.name, "--rows", m.rows, "--cols", m.cols, "--seed", "3")
	}
	write(t, filepath.Join(dir, "jobs.jsonl"), callJobs)
	content, err := os.ReadFile(filepath.Join(dir, "a.npy"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "a.npz"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	member, err := z.Create("a.npy") // deflated
	if err == nil {
		_, err = member.Write(content)
	}
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A callTest is a setup with its directory and what is right for it.
type callTest struct {
	t      *testing.T
	name   string
	dir    string
	args   []string
	inputs []string            // what is there to be read
	again  string              // the flag that goes on with what is left; "" if nothing may be left
	remain map[string][]byte   // what is there of an earlier run, by name
	old    string              // SHA-256 of c.npy before; "" if there is none
	right  map[string]string   // SHA-256 after success, by name, of what has the same each time
	calls  []inject.Kind       // in the order of one run
	counts map[inject.Kind]int // how many of each kind a run makes, at most
}

func newCallTest(t *testing.T, inputs string, i int) *callTest {
	t.Helper()
	c := &callTest{t: t, name: callSetups[i].name, dir: t.TempDir(), inputs: list(inputs), right: map[string]string{}, counts: map[inject.Kind]int{}}
	for _, name := range c.inputs {
		// Another hard link would be a change of the file.
		if err := os.Symlink(filepath.Join(inputs, name), filepath.Join(c.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.args = append(strings.Fields(callSetups[i].args), "--workers", "1")
	switch {
	case c.isBatch():
		c.again = "--resume-failed"
	case slices.Contains(c.args, "--checkpoint"):
		c.again = "--resume"
	}
	if !c.isBatch() {
		c.args = append(c.args, "-o", "c.npy")
	}
	if slices.Contains(c.args, "--force") {
		c.old = sum(t, filepath.Join(c.dir, "c0.npy"))
	}
	if rows := callSetups[i].rows; rows > 0 {
		c.leaveRows(rows)
	}
	c.reset()
	runCommand(t, c.dir, c.args...)
	for _, name := range []string{"c.npy", "d.npy", "e.npy"} {
		c.right[name] = c.sum(name)
	}
	// Calls that depend on timing are not the same in number each time.
	looks := 1
	if campaign {
		looks = 3
	}
	for range looks {
		seen := map[inject.Kind]int{}
		c.calls = nil
		c.reset()
		c.run(nil, "nothing", func(call inject.Call) syscall.Errno {
			seen[call.Kind]++
			c.calls = append(c.calls, call.Kind)
			return 0
		})
		for kind, n := range seen {
			c.counts[kind] = max(c.counts[kind], n)
		}
	}
	return c
}

func (c *callTest) isBatch() bool { return c.args[0] == "batch" }

// outputs are the names that a command may make.
var outputs = []string{"c.npy", "c.npy" + matfile.PartSuffix, "c.npy" + journal.Suffix, "trace.json", "d.npy", "e.npy", "jobs.log"}

// leaveRows makes what an earlier run has left, that had saved rows of C.
func (c *callTest) leaveRows(rows int64) {
	c.t.Helper()
	runCommand(c.t, c.dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "1")
	ref, err := matfile.Open(filepath.Join(c.dir, "c.npy"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer ref.Close()
	p := newProduct(ref.Path)
	if p.in, err = p.problemFlags.open(c.t.Context(), &matfile.Opener{}, filepath.Join(c.dir, "a.npy"), filepath.Join(c.dir, "b.npy")); err != nil {
		c.t.Fatal(err)
	}
	defer p.in.close()
	if err := errors.Join(p.specify(), p.leaveRows(ref, rows, rows/2)); err != nil {
		c.t.Fatal(err)
	}
	c.remain = map[string][]byte{}
	for _, name := range []string{"c.npy" + matfile.PartSuffix, "c.npy" + journal.Suffix} {
		if c.remain[name], err = os.ReadFile(filepath.Join(c.dir, name)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// reset puts the outputs back to what they were before.
func (c *callTest) reset() {
	c.t.Helper()
	for _, name := range outputs {
		if err := os.Remove(filepath.Join(c.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			c.t.Fatal(err)
		}
	}
	for name, b := range c.remain {
		if err := os.WriteFile(filepath.Join(c.dir, name), b, 0o666); err != nil {
			c.t.Fatal(err)
		}
	}
	if c.old == "" {
		return
	}
	b, err := os.ReadFile(filepath.Join(c.dir, "c0.npy"))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "c.npy"), b, 0o666); err != nil {
		c.t.Fatal(err)
	}
}

// sum returns the SHA-256 of an output, "" if there is none.
func (c *callTest) sum(name string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if !exists(path) {
		return ""
	}
	return sum(c.t, path)
}
