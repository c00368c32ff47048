// Command run compares `matmul run` with NumPy on the same two matrix files:
// from files in the page cache to a result that is on disk, verification
// included on our side. The two take turns; what is shown is the median of the
// ratios, pair by pair, of our wall time to theirs, with bounds.
//
//	go run ./bench/run -n 4096 -reps 15 -workers 2
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// options are the flags.
type options struct {
	n, reps, workers int
	python, matmul   string
	dir              string
}

func main() {
	var o options
	flag.IntVar(&o.n, "n", 4096, "rows and columns of the matrices, float64")
	flag.IntVar(&o.reps, "reps", 15, "pairs; fewer than 5 have no bounds")
	flag.IntVar(&o.workers, "workers", 2, "workers of matmul and threads of OpenBLAS")
	flag.StringVar(&o.python, "python", "/usr/bin/python3", "interpreter that has NumPy")
	flag.StringVar(&o.matmul, "matmul", "", "the matmul to measure (default: built from this tree)")
	flag.StringVar(&o.dir, "dir", "", "where the matrices go, on a disk (default: a temporary directory)")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func (o options) run() error {
	if o.n < 1 || o.reps < 1 || o.workers < 1 {
		return fmt.Errorf("-n, -reps and -workers must be positive")
	}
	dir, err := os.MkdirTemp(o.dir, "matmul-bench-run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := o.prepare(dir); err != nil {
		return err
	}
	if err := o.about(); err != nil {
		return err
	}
	return o.compare(dir)
}

// prepare builds the command, unless there is one, and makes the operands.
func (o *options) prepare(dir string) error {
	if o.matmul == "" {
		o.matmul = filepath.Join(dir, "matmul")
		build := exec.Command("go", "build", "-o", o.matmul, "matmul/cmd/matmul")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, text)
		}
	}
	n := strconv.Itoa(o.n)
	for seed, name := range []string{fileA, fileB} {
		_, _, err := timed(exec.Command(o.matmul, "gen", "-o", filepath.Join(dir, name),
			"--rows", n, "--cols", n, "--seed", strconv.Itoa(seed+1), "--progress", "never"))
		if err != nil {
			return err
		}
	}
	return nil
}
