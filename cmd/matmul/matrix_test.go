package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"matmul/internal/gemm"
	"matmul/internal/matfile"
	"matmul/internal/verify"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tune"
	"matmul/worker"
)

// matrixSize is m, n, k of the determinism matrix.
func matrixSize() (m, n, k int) {
	if campaign {
		return 613, 1021, 757
	}
	return 61, 101, 75
}

// TestCDependsOnTheInputsAlone: C has the same SHA-256 for each number of
// workers, tile, instruction set and kind of segment, for both element types
// and each transposition. Planning and files are the command's own; only the
// pools are shared by many products, because to start processes takes longer
// than to multiply.
func TestCDependsOnTheInputsAlone(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errors.New("the test hangs"))
	defer cancel()
	dir := t.TempDir()
	want := map[string]string{}
	starter := worker.NewProcesses()
	for _, workers := range []int{1, 2, 3, 8} {
		for _, kind := range shmmat.Shared() {
			t.Run(fmt.Sprintf("%d/%s", workers, kind), func(t *testing.T) {
				pool, err := master.New(master.Config{Workers: workers, Starter: starter, Kind: kind, Dir: dir, Spin: tune.DefaultSpin, Yield: true})
				if err != nil {
					t.Fatal(err)
				}
				defer pool.Close()
				for _, c := range matrixCases() {
					got := c.sum(t, ctx, dir, pool)
					if want[c.inputs()] == "" {
						want[c.inputs()] = got // and it is right: see there
					}
					if got != want[c.inputs()] {
						t.Errorf("%+v: C has the SHA-256 %s, want %s", c, got, want[c.inputs()])
					}
				}
			})
		}
	}
}

// A matrixCase is a product and a way to compute it.
type matrixCase struct {
	dtype, trans, tile string
	isa                gemm.ISA
}

func matrixCases() (all []matrixCase) {
	for _, dtype := range []string{"float64", "float32"} {
		for _, trans := range []string{"nn", "tn", "nt", "tt"} {
			for _, tile := range []string{"auto", "8x24", "96x96", "777x333"} {
				for _, isa := range gemm.Supported() {
					all = append(all, matrixCase{dtype, trans, tile, isa})
				}
			}
		}
	}
	return all
}

// inputs names what alone C may depend on.
func (c matrixCase) inputs() string { return c.dtype + c.trans }

// file returns the path of an operand, which it makes if it is not there.
func (c matrixCase) file(t *testing.T, dir, name string, rows, cols int, trans bool) string {
	if trans {
		rows, cols = cols, rows
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.npy", name, c.dtype, rows))
	if err := matfile.CheckOutput(path, false); err == nil {
		runCommand(t, dir, "gen", "-o", path, "--rows", strconv.Itoa(rows), "--cols", strconv.Itoa(cols),
			"--dtype", c.dtype, "--seed", strconv.Itoa(int(name[0])))
	}
	return path
}

// sum computes the product in the pool and returns the SHA-256 of C's file.
func (c matrixCase) sum(t *testing.T, ctx context.Context, dir string, pool *master.Pool) string {
	t.Helper()
	m, n, k := matrixSize()
	p := &product{runFlags: &runFlags{tile: c.tile}, crew: crew{workers: pool.Workers(), isa: c.isa}}
	p.crew.machine, p.crew.limits = host()
	p.alpha, p.beta, p.choose = 1.3, 0.7, p.crew.tuned
	p.transA, p.transB = c.trans[0] == 't', c.trans[1] == 't'
	p.c0 = c.file(t, dir, "c0", m, n, false)
	var err error
	if p.in, err = p.problemFlags.open(c.file(t, dir, "a", m, k, p.transA), c.file(t, dir, "b", k, n, p.transB)); err != nil {
		t.Fatal(err)
	}
	defer p.in.close()
	if err := p.specify(); err != nil {
		t.Fatal(err)
	}
	if err := p.makePlan(); err != nil {
		t.Fatal(err)
	}
	p.out = filepath.Join(dir, "c.npy")
	out, err := matfile.Create(p.out, p.plan.M, p.plan.N, p.plan.Type, true)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Abort()
	p.plan.Out = master.Output{File: out.File(), Offset: out.Offset}
	job, err := pool.Prepare(ctx, p.plan)
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	if _, err := job.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if c.tile == "auto" && c.isa == gemm.Generic && pool.Workers() == 1 {
		p.isExact(t, ctx, &matfile.File{Info: out.Info, File: out.File()})
	}
	return sum(t, fmt.Sprintf("/proc/self/fd/%d", out.File().Fd()))
}

// isExact compares with the definition, by code that has nothing in common
// with what computed C.
func (p *product) isExact(t *testing.T, ctx context.Context, c *matfile.File) {
	t.Helper()
	r, err := verify.Run(ctx, verify.Exact, p.problem(p.in, c), verify.Options{})
	if err != nil || !r.OK {
		t.Fatalf("C is not the product: %+v, %v", r, err)
	}
}

// host is what the machine has and allows, looked up once.
var host = sync.OnceValues(func() (*tune.Machine, *tune.Limits) { return tune.Host().Detect() })
