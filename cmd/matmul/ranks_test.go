//go:build mpi

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"matmul/internal/mpi"
	"matmul/internal/summa"
	"matmul/internal/trace"
)

// mpiexec returns the command that starts n ranks of this program with the
// library that it is linked with; MPIEXEC names another.
func mpiexec(n int) []string {
	launcher := []string{"mpiexec.mpich"}
	if given := os.Getenv("MPIEXEC"); given != "" {
		launcher = strings.Fields(given)
	} else if strings.HasPrefix(mpi.Library(), "Open MPI") {
		launcher = []string{"mpiexec.openmpi", "--allow-run-as-root", "--oversubscribe"}
	}
	return append(launcher, "-n", strconv.Itoa(n))
}

// onRanks returns the command on so many ranks, one worker each.
func onRanks(dir string, n int, args ...string) *exec.Cmd {
	one := command(dir, append(args, "--workers", "1")...)
	launch := mpiexec(n)
	cmd := exec.Command(launch[0], slices.Concat(launch[1:], []string{one.Path}, one.Args[1:])...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = one.Dir, one.Env, one.SysProcAttr
	return cmd
}

// startRanks starts the command on so many ranks.
func startRanks(t *testing.T, dir string, n int, args ...string) *running {
	t.Helper()
	return startWith(t, onRanks(dir, n, args...), (*exec.Cmd).Start)
}

// A rankCase is a product, and what its operands are made of.
type rankCase struct {
	m, n, k      int
	dtype, trans string
	options      []string
}

func (c rankCase) String() string {
	return fmt.Sprintf("%dx%dx%d %s %s %s", c.m, c.n, c.k, c.dtype, c.trans, strings.Join(c.options, " "))
}

// rankCases are shapes that no grid divides, thin ones and empty ones, with both
// types, each transposition, and factors.
func rankCases() (all []rankCase) {
	shapes := [][3]int{{101, 67, 613}, {1, 97, 300}, {97, 1, 300}, {5, 7, 1031}, {40, 50, 1}, {0, 9, 8}, {9, 0, 8}, {9, 8, 0}}
	scaled := []string{"--alpha", "1.3", "--beta", "0.7", "--c0"}
	for i, s := range shapes {
		for _, dtype := range []string{"float64", "float32"} {
			for j, trans := range []string{"nn", "tn", "nt", "tt"} {
				if !campaign && (i+j)%4 != 0 {
					continue // each transposition with some of the shapes
				}
				c := rankCase{m: s[0], n: s[1], k: s[2], dtype: dtype, trans: trans}
				if i%2 == 1 || campaign {
					c.options = scaled
				}
				all = append(all, c)
			}
		}
	}
	return append(all,
		rankCase{m: 30, n: 40, k: 50, dtype: "float64", trans: "nn", options: []string{"--alpha", "0", "--beta", "2", "--c0"}})
}

// rankCounts are the numbers of ranks.
func rankCounts() []int {
	if campaign {
		return []int{1, 2, 3, 4, 6, 9}
	}
	return []int{1, 6}
}

// TestRanksGiveTheBitsOfOneMachine: C has the SHA-256 of the run of one process,
// on each number of ranks, which read all that they need themselves, or share the
// reading, as those of different machines do, in several steps.
func TestRanksGiveTheBitsOfOneMachine(t *testing.T) {
	for _, c := range rankCases() {
		t.Run(c.String(), func(t *testing.T) {
			dir := t.TempDir()
			args := c.make(t, dir)
			runCommand(t, dir, append(args, "-o", "one.npy")...)
			want := sum(t, filepath.Join(dir, "one.npy"))
			for _, n := range rankCounts() {
				for _, network := range [][]string{nil, {"--network", "0s,100MB"}} {
					r := startRanks(t, dir, n, append(append(args, "-o", "c.npy"), network...)...)
					if code := r.wait(); code != exitDone {
						t.Fatalf("%d ranks %s: status %d: %s", n, network, code, r.stderr.String())
					}
					if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
						t.Errorf("%d ranks %s: C has the SHA-256 %s, want %s", n, network, got, want)
					}
					if r.left(testPatience, "c.npy"); !strings.Contains(r.stdout.String(), fmt.Sprintf("ranks     %d as ", n)) {
						t.Errorf("%d ranks %s reported %q", n, network, r.stdout.String())
					}
					if err := os.Remove(filepath.Join(dir, "c.npy")); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// make makes the operands in dir and returns the command line but for the output.
func (c rankCase) make(t *testing.T, dir string) []string {
	t.Helper()
	gen := func(name string, rows, cols int, trans bool) {
		if trans {
			rows, cols = cols, rows
		}
		runCommand(t, dir, "gen", "-o", name, "--rows", strconv.Itoa(rows), "--cols", strconv.Itoa(cols),
			"--dtype", c.dtype, "--seed", strconv.Itoa(int(name[0])))
	}
	gen("a.npy", c.m, c.k, c.trans[0] == 't')
	gen("b.npy", c.k, c.n, c.trans[1] == 't')
	args := append([]string{"run", "a.npy", "b.npy"}, c.options...)
	if len(c.options) > 0 {
		gen("d.npy", c.m, c.n, false)
		args = append(args, "d.npy")
	}
	if c.trans[0] == 't' {
		args = append(args, "--trans-a")
	}
	if c.trans[1] == 't' {
		args = append(args, "--trans-b")
	}
	return args
}

// TestAnErrorOfRanksIsOneLine: whatever goes wrong before and while ranks compute,
// one of them says so, once, and nothing is left.
func TestAnErrorOfRanksIsOneLine(t *testing.T) {
	dir := t.TempDir()
	runCommand(t, dir, "gen", "-o", "a.npy", "--rows", "40", "--cols", "30")
	runCommand(t, dir, "gen", "-o", "there.npy", "--rows", "2", "--cols", "2")
	if err := os.WriteFile(filepath.Join(dir, "bad.npy"), []byte("no matrix"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		line string
	}{
		{[]string{"a.npy", "gone.npy", "-o", "c.npy"}, exitInput, "matmul: gone.npy: does not exist"},
		{[]string{"a.npy", "bad.npy", "-o", "c.npy"}, exitInput, "matmul: bad.npy: "},
		{[]string{"a.npy", "a.npy", "-o", "c.npy"}, exitInput, "matmul: a.npy: inner dimensions differ"},
		{[]string{"a.npy", "a.npy", "--trans-b", "-o", "there.npy"}, exitInput, "matmul: there.npy: exists"},
		{[]string{"a.npy", "a.npy", "--trans-b", "-o", "c.npy", "--ranks", "3"}, exitUsage, "matmul: --ranks needs --dry-run"},
	} {
		r := startRanks(t, dir, 3, append([]string{"run"}, c.args...)...)
		code := r.wait()
		lines := 0
		for line := range strings.Lines(r.stderr.String()) {
			if strings.HasPrefix(line, "matmul: ") {
				lines++
				if !strings.HasPrefix(line, c.line) {
					t.Errorf("%v: %q, want %q", c.args, line, c.line)
				}
			}
		}
		if code != c.code || lines != 1 {
			t.Errorf("%v: status %d, want %d; %d lines: %s", c.args, code, c.code, lines, r.stderr.String())
		}
		r.left(testPatience)
	}
}

// TestRanksWriteOneTrace: the trace of rank 0 has every rank's tasks and steps, by
// clocks that agree: nobody has the panels of a step before all have sent their
// shares.
func TestRanksWriteOneTrace(t *testing.T) {
	dir := t.TempDir()
	runCommand(t, dir, "gen", "-o", "a.npy", "--rows", "1000", "--cols", "1000")
	r := startRanks(t, dir, 3, "run", "a.npy", "a.npy", "-o", "c.npy", "--network", "0s,100MB", "--trace", "t.json")
	if code := r.wait(); code != exitDone {
		t.Fatalf("status %d: %s", code, r.stderr.String())
	}
	r.left(testPatience, "c.npy", "t.json")
	f, err := os.Open(filepath.Join(dir, "t.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := trace.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]trace.Slice{}
	for _, row := range got.Rows {
		rows[row.Name] = row.Slices
	}
	const steps, clocks = 3, 1e-3 // panels of 384; seconds that clocks may differ by
	began, ended := [steps]float64{}, [steps]float64{}
	for rank := range 3 {
		var gathered []trace.Slice
		for _, s := range rows[fmt.Sprintf("rank %d panels", rank)] {
			if s.Kind == "gather" {
				gathered = append(gathered, s)
			}
		}
		multiplied := slices.DeleteFunc(rows[fmt.Sprintf("rank %d steps", rank)], func(s trace.Slice) bool { return s.Kind != "multiply" })
		if len(gathered) != steps || len(multiplied) != steps || len(rows[fmt.Sprintf("rank %d worker 0", rank)]) < steps {
			t.Fatalf("rank %d: %d gatherings, %d products, rows %v", rank, len(gathered), len(multiplied), rows)
		}
		for i, s := range gathered {
			began[i] = max(began[i], s.Begin)
			if ended[i] == 0 || s.End < ended[i] {
				ended[i] = s.End
			}
			if multiplied[i].Begin < s.End {
				t.Errorf("rank %d multiplies step %d at %v, which it has at %v", rank, i, multiplied[i].Begin, s.End)
			}
		}
	}
	for i := range steps {
		if ended[i] < began[i]-clocks {
			t.Errorf("a rank has the panels of step %d at %v, and one begins to send at %v", i, ended[i], began[i])
		}
	}
	if got.Name != "matmul run c.npy" || got.Info.Ranks != 3 || len(got.Rate) == 0 {
		t.Errorf("it is %q, about %+v, with %d speeds", got.Name, got.Info, len(got.Rate))
	}
	if bad := startRanks(t, dir, 2, "run", "a.npy", "a.npy", "-o", "d.npy", "--trace", "t.json"); bad.wait() != exitInput || !strings.Contains(bad.stderr.String(), "matmul: t.json: exists") {
		t.Errorf("a second one: %s", bad.stderr.String())
	}
}

// TestBenchOnRanksMeasuresTheNetwork: what it prints is what run takes.
func TestBenchOnRanksMeasuresTheNetwork(t *testing.T) {
	dir := t.TempDir()
	cmd := onRanks(dir, 3, "bench", "--reps", "3", "--json")
	r := startWith(t, cmd, (*exec.Cmd).Start)
	if code := r.wait(); code != exitDone {
		t.Fatalf("status %d: %s", code, r.stderr.String())
	}
	var got networkReport
	if err := json.Unmarshal(r.stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, r.stdout.String())
	}
	if got.Latency < 0 || !(got.Bandwidth > 0) || len(got.Samples) < 2 || got.Library != mpi.Library() {
		t.Errorf("measured %+v", got)
	}
	if _, err := summa.ParseNetwork(got.Network.String()); err != nil {
		t.Error(err)
	}
	one := startWith(t, onRanks(dir, 1, "bench"), (*exec.Cmd).Start)
	if code := one.wait(); code != exitUsage {
		t.Errorf("one rank: status %d: %s", code, one.stderr.String())
	}
}
