//go:build failpoint

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A flipped is a run in whose workers bits are flipped.
type flipped struct {
	hook, hits string // FROM-TO
	bit        int
	dtype      string
}

func (f flipped) String() string {
	return fmt.Sprintf("%s/%s/bit %d/%s", f.hook, f.hits, f.bit, f.dtype)
}

// run runs the command in dir with 2 workers, and returns its end, what it
// printed, and how often the hook was reached.
func (f flipped) run(t *testing.T, dir string, args ...string) (code int, rep report, said string, hits int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hits")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "c.npy"))
	cmd := command(dir, append([]string{"run", "a.npy", "b.npy", "-o", "c.npy", "--json", "--workers", "2", "--tile", "96x144",
		"--dtype", f.dtype, "--progress", "never"}, args...)...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("MATMUL_FAILPOINT=%s:%s:flip=%d", f.hook, f.hits, f.bit), "MATMUL_FAILPOINT_HITS="+file)
	r := startWith(t, cmd, (*exec.Cmd).Start)
	if code = r.wait(); code == 0 {
		if err := json.Unmarshal(r.stdout.Bytes(), &rep); err != nil {
			t.Fatalf("%v: %s", err, r.stdout.String())
		}
	}
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return code, rep, r.stderr.String(), int(st.Size())
}

// exponent is a bit whose flip no bound hides: the highest of an exponent, as
// all numbers are below 2.
func exponent(dtype string) int {
	if dtype == "float32" {
		return 30
	}
	return 62
}

// TestFlippedBitsOfWorkersAreRepaired flips a bit in a panel, in sums and in C of
// real workers, the first, a middle and the last time that they can be flipped.
func TestFlippedBitsOfWorkersAreRepaired(t *testing.T) {
	dir := operands(t, 600)
	runs := 0
	for _, dtype := range []string{"float64", "float32"} {
		none := flipped{"none", "1", 0, dtype}
		if code, _, said, _ := none.run(t, dir, "--verify", "exact"); code != 0 {
			t.Fatalf("exit status %d: %s", code, said)
		}
		want := sum(t, filepath.Join(dir, "c.npy"))
		for _, hook := range []string{"worker.packed", "gemm.accumulators", "gemm.stored"} {
			f := flipped{hook, "0", exponent(dtype), dtype}
			code, rep, said, n := f.run(t, dir, "--abft", "--verify", "none")
			if code != 0 || rep.ABFT == nil || rep.ABFT.Wrong != 0 || said != "" || n < 3 {
				t.Fatalf("%v: exit status %d, %+v, %d hits, without a flip: %s", f, code, rep.ABFT, n, said)
			}
			for _, nth := range hitsOf(n) {
				f.hits = fmt.Sprint(nth)
				t.Run(f.String(), func(t *testing.T) {
					code, rep, said, _ := f.run(t, dir, "--abft", "--verify", "none")
					if code != 0 || sum(t, filepath.Join(dir, "c.npy")) != want {
						t.Fatalf("exit status %d, or C is wrong: %s", code, said)
					}
					// A panel serves several tiles.
					if n := rep.ABFT.Wrong; n < 1 || n > 1 && hook != "worker.packed" || rep.ABFT.Retired > 0 || strings.Count(said, "\n") != n {
						t.Errorf("%+v: %s", rep.ABFT, said)
					}
					if strings.Contains(said, "have changed in memory") != (hook == "worker.packed") || !strings.Contains(said, ", processor ") {
						t.Errorf("standard error: %s", said)
					}
				})
				runs++
			}
		}
		t.Logf("C in %s has the SHA-256 %s", dtype, want)
	}
	t.Logf("%d runs with one flip each", runs)
}

// TestFlippedBitsAreRepairedInBands flips a bit in the first step, a middle one
// and the last.
func TestFlippedBitsAreRepairedInBands(t *testing.T) {
	dir := operands(t, 1600)
	f := flipped{"none", "1", 62, "float64"}
	if code, _, said, _ := f.run(t, dir, "--verify", "exact"); code != 0 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	want := sum(t, filepath.Join(dir, "c.npy"))
	for _, f.hook = range []string{"worker.packed", "gemm.accumulators", "gemm.stored"} {
		args := []string{"--abft", "--verify", "none", "--memory", "80MiB", "--checkpoint", "off"}
		if f.hook == "worker.packed" {
			args[len(args)-1] = "1h" // for which the command would multiply something, too
		}
		f.hits = "0"
		_, _, _, n := f.run(t, dir, args...)
		for _, nth := range hitsOf(n) {
			f.hits = fmt.Sprint(nth)
			code, rep, said, _ := f.run(t, dir, args...)
			if code != 0 || rep.Bands == nil || rep.Bands.Steps < 2 {
				t.Fatalf("%v: exit status %d, bands %+v, %+v: %s", f, code, rep.Bands, rep.ABFT, said)
			}
			// A panel serves several tiles.
			if n := rep.ABFT.Wrong; n < 1 || n > 1 && f.hook != "worker.packed" || strings.Count(said, " failed their check") != n {
				t.Errorf("%v: %+v: %s", f, rep.ABFT, said)
			}
			if strings.Contains(said, "have changed in memory") != (f.hook == "worker.packed") {
				t.Errorf("%v: standard error: %s", f, said)
			}
			if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
				t.Errorf("%v: C has the SHA-256 %s, want %s", f, got, want)
			}
		}
	}
}

// TestAWorkerThatOftenFailsIsReplaced flips bits in six tiles that two workers
// compute: one of them has three at least. What it computes after them, before it
// is killed, nobody counts.
func TestAWorkerThatOftenFailsIsReplaced(t *testing.T) {
	dir := operands(t, 600)
	f := flipped{"gemm.stored", "1-6", 62, "float64"}
	code, rep, said, _ := f.run(t, dir, "--abft", "--verify", "exact")
	if code != 0 || rep.ABFT.Wrong < 3 || rep.ABFT.Wrong > 6 || rep.ABFT.Retired < 1 || rep.Deaths != rep.ABFT.Retired {
		t.Fatalf("exit status %d, %+v, %d deaths: %s", code, rep.ABFT, rep.Deaths, said)
	}
	if strings.Count(said, "the worker is replaced") != rep.ABFT.Retired {
		t.Errorf("standard error: %s", said)
	}
}

// TestATileThatAlwaysFailsEndsTheRun flips a bit in every tile.
func TestATileThatAlwaysFailsEndsTheRun(t *testing.T) {
	dir := operands(t, 200)
	before := list(dir)
	f := flipped{"gemm.stored", "1-1000000", 62, "float64"}
	code, _, said, _ := f.run(t, dir, "--abft")
	lines := strings.Split(strings.TrimSuffix(said, "\n"), "\n")
	if last := lines[len(lines)-1]; code != exitWrong || !strings.Contains(last, "fails its check again and again") || !strings.Contains(last, "the machine is faulty") {
		t.Errorf("exit status %d: %s", code, said)
	}
	if after := list(dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("files were %q and are %q", before, after)
	}
}

// TestAFlipWithoutChecksIsFoundByVerification shows what the checks are for.
func TestAFlipWithoutChecksIsFoundByVerification(t *testing.T) {
	dir := operands(t, 200)
	f := flipped{"gemm.stored", "1", 62, "float64"}
	if code, _, said, _ := f.run(t, dir); code != exitWrong {
		t.Errorf("exit status %d: %s", code, said)
	}
}
