package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/master"
	"matmul/shmmat"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	poolFlags
	sizes  []string
	dtype  string
	reps   int
	asJSON bool
	abft   bool
}

func newBench() *cobra.Command {
	f := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed on matrices in memory",
		Long: `bench multiplies row-major matrices that lie in shared memory, with workers that
are running already. The time covers everything from handing in the job to the
finished C: planning, packing, messages and multiplying. Sizes take turns, and
the FMA limit is measured in the same turns.

On two ranks or more of an MPI job it measures the network between the first and
the last one instead, for --network of run.`,
		Example: `  matmul bench
  matmul bench --sizes 2048 --workers 2 --reps 15
  matmul bench --sizes 4096x4096x64,64x8192x8192 --dtype float32 --json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if did, err := f.onRanks(cmd); did {
				return err
			}
			return f.run(cmd)
		},
	}
	f.register(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&f.sizes, "sizes", []string{"512", "1024", "2048"}, "`LIST` of N or MxNxK")
	fl.StringVar(&f.dtype, "dtype", "float64", "element type: float64 or float32")
	fl.IntVar(&f.reps, "reps", 7, "repetitions of each size")
	fl.BoolVar(&f.abft, "abft", false, "check each tile of C by checksums")
	fl.BoolVar(&f.asJSON, "json", false, "print one JSON object per size and line")
	complete(cmd, "dtype", "float64", "float32")
	return cmd
}

// A series is the measurements of one size.
type series struct {
	m, n, k int64
	crew    *crew
	tuned   tuned
	t       elem.Type
	abft    bool
	job     master.Spec
	plan    *master.Plan
	seconds []float64
	peaks   []float64 // GFLOP/s
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	t, err := elem.Parse(f.dtype)
	if err != nil {
		return flagError("dtype", err)
	}
	if f.reps < 1 {
		return usagef("--reps %d: want at least 1", f.reps)
	}
	c, err := f.resolve(cmd)
	if err != nil {
		return err
	}
	u, err := c.tuned(t)
	if err != nil {
		return err
	}
	all, err := plans(f.sizes, series{crew: &c, tuned: u, t: t, abft: f.abft})
	if err != nil {
		return err
	}
	if err := c.affordAll(all); err != nil {
		return err
	}
	pool, err := c.open(os.TempDir(), u.choice)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := measureAll(cmd.Context(), pool, all, f.reps); err != nil {
		return err
	}
	return f.print(cmd, c, u, all)
}

// plans parses the sizes, of products that are alike otherwise.
func plans(sizes []string, like series) (all []*series, err error) {
	for _, text := range sizes {
		s := new(series)
		*s = like
		if s.m, s.n, s.k, err = parseProblem(text); err != nil {
			return nil, err
		}
		if err := s.settle(); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, usagef("--sizes is empty: want N or MxNxK")
	}
	return all, nil
}

// parseProblem reads the size of a product, N or MxNxK.
func parseProblem(text string) (m, n, k int64, err error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		return n, n, n, nil
	}
	v, err := parseSizes(text, 3)
	if err != nil {
		return 0, 0, 0, usagef("--sizes %q: want N or MxNxK", text)
	}
	return v[0], v[1], v[2], nil
}

// settle plans a product of row-major matrices in memory, done as chosen.
func (s *series) settle() (err error) {
	m := func(rows, cols int64) master.Operand {
		return master.Operand{Matrix: shmmat.Matrix{Rows: rows, Cols: cols, LD: cols, Type: s.t}}
	}
	s.job, s.plan, err = s.crew.plan(s.tuned, master.Spec{Type: s.t, Alpha: 1, Priority: defaultPriority, ABFT: s.abft, A: m(s.m, s.k), B: m(s.k, s.n)})
	return err
}

// affordAll checks the memory of each series.
func (c *crew) affordAll(all []*series) error {
	for _, s := range all {
		if err := newNeeds(c, s.plan, os.TempDir()).afford(c.limits); err != nil {
			return err
		}
	}
	return nil
}

// measureAll lets the sizes take turns, after one turn that is not counted.
func measureAll(ctx context.Context, pool *master.Pool, all []*series, reps int) error {
	plans := make([]*master.Plan, len(all))
	for i, s := range all {
		plans[i] = s.plan
	}
	if err := pool.Reserve(ctx, plans...); err != nil {
		return err
	}
	for rep := range reps + 1 {
		for _, s := range all {
			fill := rep == 0
			seconds, err := s.once(ctx, pool, fill)
			if err != nil {
				return err
			}
			peak, err := pool.Peak(ctx, s.plan.Kernel, peakTime)
			if err != nil {
				return err
			}
			if rep > 0 {
				s.seconds = append(s.seconds, seconds)
				s.peaks = append(s.peaks, peak/1e9)
			}
		}
	}
	return nil
}

// once does the product once and returns the time it took.
func (s *series) once(ctx context.Context, pool *master.Pool, fill bool) (float64, error) {
	if fill {
		if err := fillOperands(pool, s.t); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	if _, err := pool.Do(ctx, s.job); err != nil {
		return 0, err
	}
	return time.Since(start).Seconds(), nil
}

// fillOperands writes numbers between −1 and 1 into A and B.
func fillOperands(pool *master.Pool, t elem.Type) error {
	if t == elem.Float32 {
		return fillAs[float32](pool)
	}
	return fillAs[float64](pool)
}

func fillAs[T elem.Float](pool *master.Pool) error {
	for _, r := range []shmmat.Region{shmmat.RowsA, shmmat.RowsB} {
		s, err := master.Elements[T](pool, r)
		if err != nil {
			return err
		}
		x := uint32(r)
		for i := range s {
			x = x*1664525 + 1013904223 // Numerical Recipes: any spread of values does
			s[i] = T(int32(x)) / (1 << 31)
		}
	}
	return nil
}

// benchResult is one line of the JSON output.
type benchResult struct {
	M       int64   `json:"m"`
	N       int64   `json:"n"`
	K       int64   `json:"k"`
	DType   string  `json:"dtype"`
	ABFT    bool    `json:"abft"`
	Workers int     `json:"workers"`
	ISA     string  `json:"isa"`
	Kernel  string  `json:"kernel"`
	TileM   int64   `json:"tile_m"`
	TileN   int64   `json:"tile_n"`
	Profile string  `json:"profile"`
	Reps    int     `json:"reps"`
	Median  float64 `json:"median_s"`
	Best    float64 `json:"best_s"`
	GFLOPS  float64 `json:"gflops"`
	Peak    float64 `json:"peak_gflops"`
	Share   float64 `json:"share"`
	// Unpinned says why workers have no processor each, if another matmul is it.
	Unpinned string `json:"unpinned,omitempty"`
}

func (s *series) result(f *benchFlags, c crew, u tuned) benchResult {
	k := u.kernel
	r := benchResult{M: s.m, N: s.n, K: s.k, DType: f.dtype, ABFT: f.abft, Workers: c.workers, ISA: k.ISA.String(), Kernel: k.String(),
		TileM: s.plan.TileM, TileN: s.plan.TileN, Profile: u.path, Unpinned: c.unpinned, Reps: f.reps,
		Median: median(s.seconds), Best: slices.Min(s.seconds), Peak: median(s.peaks)}
	r.GFLOPS = s.plan.Flops() / r.Median / 1e9
	r.Share = r.GFLOPS / r.Peak
	return r
}

// median returns the middle of the values, the mean of both middles if their
// number is even.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func (f *benchFlags) print(cmd *cobra.Command, c crew, u tuned, all []*series) error {
	out := cmd.OutOrStdout()
	if !f.asJSON {
		fmt.Fprintf(out, "%s, %s, %d worker(s)%s\n", u.kernel, f.dtype, c.workers, map[bool]string{true: ", tuned"}[u.path != ""])
		if c.unpinned != "" {
			fmt.Fprintf(out, "workers are not pinned: %s\n", c.unpinned)
		}
		fmt.Fprintf(out, "%-20s %11s %11s %9s %9s %7s\n", "m×n×k", "median", "best", "GFLOP/s", "limit", "share")
	}
	for _, s := range all {
		r := s.result(f, c, u)
		if f.asJSON {
			if err := json.NewEncoder(out).Encode(r); err != nil {
				return err
			}
			continue
		}
		size := strings.Join([]string{fmt.Sprint(r.M), fmt.Sprint(r.N), fmt.Sprint(r.K)}, "×")
		fmt.Fprintf(out, "%-20s %11s %11s %9.1f %9.1f %6.1f%%\n", size, milliseconds(r.Median), milliseconds(r.Best), r.GFLOPS, r.Peak, 100*r.Share)
	}
	return nil
}

func milliseconds(s float64) string { return fmt.Sprintf("%.3f ms", 1e3*s) }
