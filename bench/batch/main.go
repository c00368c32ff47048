// Command batch compares `matmul batch` with as many calls of `matmul run`, and
// with a NumPy program that does the same products in one process and makes
// them as durable. The three take turns; what is shown are the rates, and the
// medians of the ratios, turn by turn.
//
//	go run ./bench/batch -jobs 1000 -least 64 -most 512 -reps 5
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// options are the flags.
type options struct {
	jobs, least, most int
	reps, workers     int
	seed              uint64
	verify            string
	python, matmul    string
	dir               string
}

func main() {
	var o options
	flag.IntVar(&o.jobs, "jobs", 1000, "number of products")
	flag.IntVar(&o.least, "least", 64, "rows and columns of the smallest matrices, float64")
	flag.IntVar(&o.most, "most", 512, "rows and columns of the largest")
	flag.IntVar(&o.reps, "reps", 5, "turns of each")
	flag.IntVar(&o.workers, "workers", 2, "workers of matmul and threads of OpenBLAS")
	flag.Uint64Var(&o.seed, "seed", 1, "chooses the sizes")
	flag.StringVar(&o.verify, "verify", "freivalds", "how matmul checks its products; NumPy's are not checked")
	flag.StringVar(&o.python, "python", "/usr/bin/python3", "interpreter that has NumPy")
	flag.StringVar(&o.matmul, "matmul", "", "the matmul to measure (default: built from this tree)")
	flag.StringVar(&o.dir, "dir", "", "where the matrices go, on a disk (default: a temporary directory)")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "batch:", err)
		os.Exit(1)
	}
}

func (o options) run() error {
	if o.jobs < 1 || o.least < 1 || o.most < o.least || o.reps < 1 || o.workers < 1 {
		return fmt.Errorf("-jobs, -least, -reps and -workers must be positive, -most not below -least")
	}
	dir, err := os.MkdirTemp(o.dir, "matmul-bench-batch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.matmul == "" {
		o.matmul = filepath.Join(dir, "matmul")
		build := exec.Command("go", "build", "-o", o.matmul, "matmul/cmd/matmul")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, text)
		}
	}
	jobs, err := o.prepare(dir)
	if err != nil {
		return err
	}
	return o.compare(dir, jobs)
}

// compare lets the contenders take turns and prints what they did.
func (o options) compare(dir string, jobs []job) error {
	contenders := []contender{{"matmul batch", o.batch}, {"matmul run", o.runs}, {"NumPy", o.numpy}}
	fmt.Printf("%d products of n = %d to %d, jobs/s\n%-5s", o.jobs, o.least, o.most, "turn")
	for _, c := range contenders {
		fmt.Printf(" %13s", c.name)
	}
	fmt.Println()
	ratios := make([][]float64, len(contenders))
	for turn := range o.reps {
		times := make([]float64, len(contenders))
		for i := range contenders {
			at := (turn + i) % len(contenders) // each begins now and then
			if err := clean(dir, jobs); err != nil {
				return err
			}
			seconds, err := contenders[at].do(dir, jobs)
			if err != nil {
				return err
			}
			times[at] = seconds
		}
		fmt.Printf("%-5d", turn+1)
		for i, s := range times {
			fmt.Printf(" %13.1f", float64(o.jobs)/s)
			ratios[i] = append(ratios[i], s/times[0])
		}
		fmt.Println()
	}
	for i, c := range contenders[1:] {
		slices.Sort(ratios[i+1])
		fmt.Printf("matmul batch is %.2f times as fast as %s (median of %d; %.2f to %.2f)\n",
			ratios[i+1][o.reps/2], c.name, o.reps, ratios[i+1][0], ratios[i+1][o.reps-1])
	}
	return nil
}

// A job is one product.
type job struct {
	A   string `json:"a"`
	B   string `json:"b"`
	Out string `json:"out"`
	n   int
}

func (o options) workersFlag() string { return strconv.Itoa(o.workers) }
