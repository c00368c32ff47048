package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed products.py
var numpyProgram string

// list is the list of jobs in the temporary directory.
const list = "jobs.jsonl"

// A contender does all jobs in dir and returns the seconds that it took.
type contender struct {
	name string
	do   func(dir string, jobs []job) (float64, error)
}

// prepare makes the operands and the list.
func (o options) prepare(dir string) (jobs []job, err error) {
	r := rand.New(rand.NewPCG(o.seed, 0))
	f, err := os.Create(filepath.Join(dir, list))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	enc := json.NewEncoder(f)
	for i := range o.jobs {
		j := job{A: fmt.Sprintf("A%d.npy", i), B: fmt.Sprintf("B%d.npy", i), Out: fmt.Sprintf("C%d.npy", i), n: o.least + r.IntN(o.most-o.least+1)}
		for seed, name := range []string{j.A, j.B} {
			n := strconv.Itoa(j.n)
			if _, err := timed(o.command(dir, "gen", "-o", name, "--rows", n, "--cols", n, "--seed", strconv.Itoa(2*i+seed))); err != nil {
				return nil, err
			}
		}
		if err := enc.Encode(j); err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// clean removes the results and leaves nothing for the disk to do.
func clean(dir string, jobs []job) error {
	for _, name := range append([]job{{Out: "log"}}, jobs...) {
		if err := os.Remove(filepath.Join(dir, name.Out)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	syscall.Sync()
	return nil
}

func (o options) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(o.matmul, append(args, "--progress", "never")...)
	cmd.Dir = dir
	return cmd
}

// batch is `matmul batch` with all that it does by default, and a job log.
func (o options) batch(dir string, _ []job) (float64, error) {
	return timed(o.command(dir, "batch", list, "--joblog", "log", "--workers", o.workersFlag(), "--verify", o.verify))
}

// runs is a `matmul run` for each job.
func (o options) runs(dir string, jobs []job) (float64, error) {
	total := 0.0
	for _, j := range jobs {
		s, err := timed(o.command(dir, "run", j.A, j.B, "-o", j.Out, "--workers", o.workersFlag(), "--verify", o.verify))
		if total += s; err != nil {
			return total, err
		}
	}
	return total, nil
}

// numpy is the Python program, without the time that Python takes to start and
// NumPy to be imported. OpenBLAS chooses its kernel and its blocks itself: what
// others may have set for it is not passed on.
func (o options) numpy(dir string, _ []job) (float64, error) {
	cmd := exec.Command(o.python, "-c", numpyProgram, list)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "OPENBLAS_CORETYPE" && name != "OPENBLAS_L2_SIZE" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "OPENBLAS_NUM_THREADS="+o.workersFlag(), "OMP_NUM_THREADS="+o.workersFlag())
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
}

// timed runs a command and returns how long it took, from its start until it was
// gone.
func timed(cmd *exec.Cmd) (float64, error) {
	start := time.Now()
	text, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, text)
	}
	return time.Since(start).Seconds(), nil
}
