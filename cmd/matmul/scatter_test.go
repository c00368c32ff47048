//go:build mpi

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// apart makes every rank but 0 work in a directory of its own: an empty one.
const apart = `rank=${PMI_RANK:-$OMPI_COMM_WORLD_RANK}
if [ "$rank" != 0 ]; then
	mkdir -p "$0.$rank" && cd "$0.$rank" || exit 1
fi
exec "$@"`

// startApart starts the command on so many ranks, of which 0 alone is in dir.
func startApart(t *testing.T, dir string, n int, args ...string) *running {
	t.Helper()
	one := command(dir, append(args, "--workers", "1")...)
	script := filepath.Join(t.TempDir(), "elsewhere")
	launch := slices.Concat(mpiexec(n), []string{"sh", "-c", apart, script, one.Path}, one.Args[1:])
	cmd := exec.Command(launch[0], launch[1:]...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = one.Dir, one.Env, one.SysProcAttr
	return startWith(t, cmd, (*exec.Cmd).Start)
}

// TestScatteredRanksGiveTheBitsOfOneMachine: rank 0 alone has the files.
func TestScatteredRanksGiveTheBitsOfOneMachine(t *testing.T) {
	for i, c := range rankCases() {
		if !campaign && i%3 != 0 {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			dir := t.TempDir()
			args := c.make(t, dir)
			runCommand(t, dir, append(args, "-o", "one.npy")...)
			want := sum(t, filepath.Join(dir, "one.npy"))
			for _, n := range rankCounts() {
				r := startApart(t, dir, n, append(args, "-o", "c.npy", "--scatter")...)
				if code := r.wait(); code != exitDone {
					t.Fatalf("%d ranks: status %d: %s", n, code, r.stderr.String())
				}
				if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
					t.Errorf("%d ranks: C has the SHA-256 %s, want %s", n, got, want)
				}
				r.left(testPatience, "c.npy")
				if err := os.Remove(filepath.Join(dir, "c.npy")); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestScatteredRanksDoBandsAndChunks: pieces and blocks of several chunks, several steps
// and bands, of matrices that are stored by rows and by columns.
func TestScatteredRanksDoBandsAndChunks(t *testing.T) {
	const m, n, k = 3000, 1100, 700
	dir := t.TempDir()
	gen := func(name string, rows, cols int, more ...string) {
		runCommand(t, dir, append([]string{"gen", "-o", name, "--rows", strconv.Itoa(rows), "--cols", strconv.Itoa(cols)}, more...)...)
	}
	gen("a.npy", m, k)
	gen("b.npy", n, k, "--seed", "2")
	gen("c0.npy", m, n, "--seed", "3")
	byColumns(t, filepath.Join(dir, "c0.npy"))
	args := []string{"run", "a.npy", "b.npy", "--trans-b", "--beta", "0.5", "--c0", "c0.npy"}
	narrow := []string{"--network", "0s,100MB"} // panels, so that there are several steps
	runCommand(t, dir, append(args, "-o", "one.npy")...)
	want := sum(t, filepath.Join(dir, "one.npy"))
	for _, more := range [][]string{nil, {"--checkpoint", "1ms"}} {
		r := startApart(t, dir, 2, slices.Concat(args, []string{"-o", "c.npy", "--scatter"}, narrow, more)...)
		if code := r.wait(); code != exitDone {
			t.Fatalf("%v: status %d: %s", more, code, r.stderr.String())
		}
		if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
			t.Errorf("%v: C has the SHA-256 %s, want %s", more, got, want)
		}
		r.left(testPatience, "c.npy")
		if err := os.Remove(filepath.Join(dir, "c.npy")); err != nil {
			t.Fatal(err)
		}
	}
}

// byColumns makes the same bytes of an .npy file mean an array in Fortran order.
func byColumns(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const before, after = "'fortran_order': False", "'fortran_order': True "
	if !bytes.Contains(b, []byte(before)) {
		t.Fatalf("%s is not in C order: %q", path, b[:min(len(b), 128)])
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(before), []byte(after), 1), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestARankWithoutAFileNamesScatter: it says which rank cannot use what. With
// --scatter an error of rank 0 is that of one machine.
func TestARankWithoutAFileNamesScatter(t *testing.T) {
	dir := t.TempDir()
	runCommand(t, dir, "gen", "-o", "a.npy", "--rows", "40", "--cols", "30")
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o777); err != nil {
		t.Fatal(err)
	}
	const advice = "; rank 0 can use it: use files that all ranks share, or --scatter\n"
	for _, c := range []struct {
		args []string
		line string
	}{
		{[]string{"a.npy", "a.npy", "-o", "c.npy", "--trans-b"}, "matmul: rank 1: a.npy: does not exist" + advice},
		{[]string{"a.npy", "a.npy", "-o", "out/c.npy", "--trans-b"}, "matmul: rank 1: out/c.npy: *" + advice},
		{[]string{"gone.npy", "a.npy", "-o", "c.npy", "--scatter"}, "matmul: gone.npy: does not exist\n"},
		{[]string{"a.npy", "a.npy", "-o", "c.npy", "--scatter"}, "matmul: a.npy: inner dimensions differ*\n"},
	} {
		r := startApart(t, dir, 3, append([]string{"run"}, c.args...)...)
		code := r.wait()
		before, after, _ := strings.Cut(c.line, "*")
		if got := r.stderr.String(); code != exitInput || strings.Count(got, "matmul: ") != 1 ||
			!strings.Contains(got, before) || !strings.Contains(got, after) {
			t.Errorf("%v: status %d: %s", c.args, code, got)
		}
		r.left(testPatience)
	}
}
