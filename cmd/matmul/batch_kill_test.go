package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gen"
	"matmul/internal/matfile"
)

// A night is a batch of mixed jobs in a directory.
type night struct {
	t      *testing.T
	dir    string
	inputs []string          // names of what is there before
	outs   map[string]string // SHA-256 of each output, by name
	length time.Duration     // of a batch that nobody disturbs
}

// newNight makes the inputs and the list, and does all jobs once: those of one
// processor, those of the workers, chains of both.
func newNight(t *testing.T, jobs int, r *rand.Rand) *night {
	t.Helper()
	v := &night{t: t, dir: t.TempDir(), outs: map[string]string{}}
	sizes := []int64{1, 17, 64, 200, 830} // of 830 three make more than 10⁹ operations
	for i, rows := range sizes {
		for j, cols := range sizes {
			matrix(t, v.dir, fmt.Sprintf("%d-%d.npy", rows, cols), rows, cols, elem.Float64, uint64(10*i+j))
		}
	}
	type made struct {
		id, out    string
		rows, cols int64
	}
	var before []made
	var lines strings.Builder
	pick := func() int64 {
		if r.IntN(2) == 0 {
			return 830
		}
		return sizes[r.IntN(4)]
	}
	for i := range jobs {
		m, k, n := pick(), pick(), pick()
		job := map[string]any{"id": fmt.Sprint(i), "out": fmt.Sprintf("c%d.npy", i), "priority": r.IntN(10),
			"a": fmt.Sprintf("%d-%d.npy", m, k), "b": fmt.Sprintf("%d-%d.npy", k, n)}
		if len(before) > 0 && r.IntN(3) == 0 {
			on := before[r.IntN(len(before))]
			m, k = on.rows, on.cols
			job["a"], job["b"], job["after"] = on.out, fmt.Sprintf("%d-%d.npy", k, n), []string{on.id}
		} else if r.IntN(4) == 0 {
			job["trans_a"], job["a"] = true, fmt.Sprintf("%d-%d.npy", k, m)
		}
		if r.IntN(4) == 0 {
			job["alpha"], job["beta"], job["c0"] = 0.5, -2, fmt.Sprintf("%d-%d.npy", m, n)
		}
		if r.IntN(4) == 0 {
			job["dtype"] = "float32"
		}
		before = append(before, made{fmt.Sprint(i), job["out"].(string), m, n})
		line, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	write(t, filepath.Join(v.dir, "jobs.jsonl"), lines.String())
	v.inputs = list(v.dir)
	begin := time.Now()
	c := start(t, v.dir, v.args(r)...)
	if code := c.wait(); code != 0 {
		t.Fatalf("exit status %d: %s", code, c.stderr.String())
	}
	v.length = time.Since(begin)
	for _, m := range before {
		v.outs[m.out] = sum(t, filepath.Join(v.dir, m.out))
	}
	v.clear()
	return v
}

// matrix makes a random matrix.
func matrix(t *testing.T, dir, name string, rows, cols int64, e elem.Type, seed uint64) {
	t.Helper()
	o, err := matfile.Create(filepath.Join(dir, name), rows, cols, e, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := gen.Write(context.Background(), o, gen.Spec{Kind: gen.Uniform, Seed: seed}, nil); err != nil {
		t.Fatal(err)
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// args returns a command that may do the batch in any of its ways.
func (v *night) args(r *rand.Rand) []string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	return []string{"batch", "jobs.jsonl", "--joblog", "log", "--resume", "--progress", "never",
		"--workers", pick("1", "2", "3"), "--checkpoint", pick("1ms", "1ms", "off"),
		"--segment", pick("memfd", "memfd", "posix", "file"), "--verify", pick("none", "freivalds", "freivalds")}
}

// clear removes what a batch has made.
func (v *night) clear() {
	for _, name := range list(v.dir) {
		if !slices.Contains(v.inputs, name) {
			os.Remove(filepath.Join(v.dir, name))
		}
	}
}

// isDone fails the test unless all outputs are there and right, each job is
// listed once, as done, and nothing else is left.
func (v *night) isDone(about string) {
	v.t.Helper()
	for name, want := range v.outs {
		if got := sum(v.t, filepath.Join(v.dir, name)); got != want {
			v.t.Fatalf("%s: %s has the SHA-256 %s, want %s", about, name, got, want)
		}
	}
	lines := strings.Split(strings.TrimSuffix(read(filepath.Join(v.dir, "log")), "\n"), "\n")
	seen := map[string]int{}
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if seen[f[8]]++; f[6] != "0" || seen[f[8]] > 1 {
			v.t.Fatalf("%s: the log has the line %q", about, line)
		}
	}
	if len(seen) != len(v.outs) {
		v.t.Fatalf("%s: the log lists %d jobs, want %d", about, len(seen), len(v.outs))
	}
	for _, name := range list(v.dir) {
		if _, out := v.outs[name]; !out && name != "log" && !slices.Contains(v.inputs, name) {
			v.t.Fatalf("%s: %s is left", about, name)
		}
	}
}

// finish lets a batch end and looks at what it has made.
func (v *night) finish(r *rand.Rand, about string) {
	v.t.Helper()
	c := start(v.t, v.dir, v.args(r)...)
	if code := c.wait(); code != 0 {
		v.t.Fatalf("%s: exit status %d: %s", about, code, c.stderr.String())
	}
	v.isDone(about)
}

// TestAKilledBatchIsResumed kills the master of a batch at random moments, and
// lets it end now and then.
func TestAKilledBatchIsResumed(t *testing.T) {
	from, to := runs(t, 6, 100)
	jobs := 40
	if campaign {
		jobs = 300
	}
	v := newNight(t, jobs, rand.New(rand.NewPCG(7, 7)))
	ends := 0
	for seed := from; seed <= to; seed++ {
		r := rand.New(rand.NewPCG(seed, 8))
		about := fmt.Sprintf("run %d", seed)
		for !v.killed(r, about) {
			ends++
			v.clear()
		}
		if seed%10 == 0 {
			v.finish(r, about)
			ends++
			v.clear()
		}
	}
	v.finish(rand.New(rand.NewPCG(0, 8)), "the last run")
	t.Logf("runs %d to %d: a batch of %d jobs, its master killed %d times; %d batches ended, each with the outputs and the log of an undisturbed one; SHA-256 of the first output %s",
		from, to, jobs, to-from+1, ends+1, v.outs["c0.npy"])
}

// killed goes on with the batch and kills it. It returns false if the batch was
// faster, and looks at what it has made then.
func (v *night) killed(r *rand.Rand, about string) bool {
	v.t.Helper()
	c := start(v.t, v.dir, v.args(r)...)
	moment := time.Duration(r.Int64N(int64(v.length / 2)))
	select {
	case err := <-c.ended:
		c.ended <- err
	case <-time.After(moment):
		syscall.Kill(c.pid(), syscall.SIGKILL)
	}
	code := c.wait()
	eventually(v.t, testPatience, func() string {
		if pids := members(c.pid()); len(pids) > 0 {
			return "processes are left:\n" + c.describe()
		}
		return ""
	})
	if code == 128+int(syscall.SIGKILL) {
		return true
	}
	if code != 0 {
		v.t.Fatalf("%s: exit status %d: %s", about, code, c.stderr.String())
	}
	v.isDone(about)
	return false
}

// TestALongJobOfABatchGoesOnFromItsJournal kills a batch when a job has saved
// rows, and goes on. What that job makes then is not all in memory for the one that
// reads it.
func TestALongJobOfABatchGoesOnFromItsJournal(t *testing.T) {
	dir := t.TempDir()
	matrix(t, dir, "a.npy", 900, 900, elem.Float64, 1)
	write(t, filepath.Join(dir, "jobs.jsonl"), `{"a": "a.npy", "b": "a.npy", "out": "c.npy"}
{"a": "c.npy", "b": "a.npy", "out": "d.npy", "after": ["c.npy"]}
`)
	args := []string{"batch", "jobs.jsonl", "--joblog", "log", "--checkpoint", "1ms", "--isa", "generic", "--json"}
	c := start(t, dir, args...)
	eventually(t, testPatience, func() string {
		// A header is whole sectors, and a few records of 64 bytes are not.
		st, err := os.Stat(filepath.Join(dir, "c.npy.journal"))
		if (err != nil || st.Size()%512 == 0) && len(c.ended) == 0 {
			return "no row was saved"
		}
		return ""
	})
	syscall.Kill(c.pid(), syscall.SIGKILL)
	if code := c.wait(); code != 128+int(syscall.SIGKILL) {
		t.Fatalf("exit status %d: %s", code, c.stderr.String())
	}
	var r batchReport
	decode(t, runCommand(t, dir, append(args, "--resume")...), &r)
	if r.Done != 2 || r.Jobs[0].Kept == 0 || r.Jobs[1].Taken != 0 {
		t.Errorf("got %+v", r)
	}
	runCommand(t, dir, "run", "a.npy", "a.npy", "-o", "ref-c.npy")
	runCommand(t, dir, "run", "ref-c.npy", "a.npy", "-o", "ref-d.npy")
	for _, out := range []string{"c.npy", "d.npy"} {
		if sum(t, filepath.Join(dir, out)) != sum(t, filepath.Join(dir, "ref-"+out)) {
			t.Errorf("%s differs from that of run", out)
		}
	}
	if got := list(dir); !slices.Equal(got, []string{"a.npy", "c.npy", "d.npy", "jobs.jsonl", "log", "ref-c.npy", "ref-d.npy"}) {
		t.Errorf("there are %q", got)
	}
}

// TestABatchThatIsStoppedIsResumed sends a signal when the first jobs are done.
func TestABatchThatIsStoppedIsResumed(t *testing.T) {
	v := newNight(t, 24, rand.New(rand.NewPCG(9, 9)))
	for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1} {
		r := rand.New(rand.NewPCG(uint64(i), 10))
		c := start(t, v.dir, v.args(r)...)
		eventually(t, testPatience, func() string {
			if strings.Count(read(filepath.Join(v.dir, "log")), "\n") < 2 && len(c.ended) == 0 {
				return "no job is done"
			}
			return ""
		})
		syscall.Kill(c.pid(), sig)
		switch code := c.wait(); code {
		case exitResume:
			if said := c.stderr.String(); !strings.Contains(said, "of 24 jobs are done, go on with --resume\n") {
				t.Errorf("%v: %s", sig, said)
			}
		case 0: // it was faster
		default:
			t.Fatalf("%v: exit status %d: %s", sig, code, c.stderr.String())
		}
		v.finish(r, sig.String())
		v.clear()
	}
}
