package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/verify"
	"matmul/tune"
)

func newVerify() *cobra.Command {
	var (
		p      problemFlags
		method string
		dtype  string
		rounds int
		seed   uint64
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "verify A.npy B.npy C.npy",
		Short: "Check that C is the product of A and B",
		Long: `verify decides whether C = alpha*op(A)*op(B) + beta*C0. Methods:

    gonum      each element against gonum's product, under an error bound
    freivalds  random sums of each row; fast, reads the files once
    exact      the bits of each element against the definition

Files may have all formats that run reads.

If C is wrong, the exit status is 3.`,
		Example: `  matmul verify A.npy B.npy C.npy
  matmul verify A.npy A.npy gram.npy --trans-b --method exact`,
		Args: arguments("A.npy", "B.npy", "C.npy"),
	}
	p.register(cmd)
	f := cmd.Flags()
	f.StringVar(&method, "method", "gonum", "how to check: gonum, freivalds or exact")
	f.StringVar(&dtype, "dtype", "", "type that C was computed in, if it is text: float64 or float32 (default: float64)")
	f.IntVar(&rounds, "rounds", 1, "rounds of freivalds")
	f.Uint64Var(&seed, "seed", 0, "seed of freivalds (default: random)")
	f.BoolVar(&asJSON, "json", false, "print the verdict as JSON")
	complete(cmd, "dtype", "float64", "float32")
	flags := progressFlag(cmd)
	complete(cmd, "method", "gonum", "freivalds", "exact")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := verify.ParseMethod(method)
		if err != nil {
			return flagError("method", err)
		}
		if rounds < 1 {
			return usagef("--rounds %d: want at least 1", rounds)
		}
		if dtype != "" {
			if _, err := elem.Parse(dtype); err != nil {
				return flagError("dtype", err)
			}
		}
		if err := p.check(cmd); err != nil {
			return err
		}
		show, err := newProgress(flags)
		if err != nil {
			return err
		}
		return runVerify(cmd, &p, args, dtype, m, verify.Options{Rounds: rounds, Seed: seed}, show, asJSON)
	}
	return cmd
}

func runVerify(cmd *cobra.Command, p *problemFlags, args []string, dtype string, m verify.Method, o verify.Options, show progress, asJSON bool) error {
	_, limits := tune.Host().Detect()
	opener := newOpener(os.TempDir(), limits, show)
	in, err := p.open(cmd.Context(), opener, args[0], args[1])
	if err != nil {
		return err
	}
	defer in.close()
	c, err := openProduct(cmd.Context(), opener, args[2], dtype)
	if err != nil {
		return err
	}
	defer c.Close()
	problem := p.problem(in, c)
	bytes, err := checkMemory(m, problem, o)
	if err != nil {
		return err
	}
	if dir := opener.Dir; isInMemory(dir) {
		bytes += in.copied() + c.Copied()
	}
	if err := affordCheck(limits.MemoryLimits, bytes); err != nil {
		return err
	}
	bar := show.start("verify", nil)
	o.Progress = bar.set
	r, err := runCheck(cmd.Context(), m, problem, o)
	bar.end()
	if err != nil {
		return err
	}
	v := newVerdict(r)
	if asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	} else {
		fmt.Fprint(cmd.OutOrStdout(), v.text(args[2]))
	}
	if err != nil {
		return err
	}
	return v.err(args[2])
}

// openProduct opens C, which was computed in the type dtype: text does not say.
func openProduct(ctx context.Context, opener *matfile.Opener, name, dtype string) (*matfile.File, error) {
	text := *opener
	if dtype != "" {
		text.Text, _ = elem.Parse(dtype)
	}
	c, err := text.Open(ctx, name)
	if err == nil && dtype != "" && c.Elem != text.Text {
		err = &matfile.Error{Path: c.Path, Problem: "holds " + c.Elem.String(), Want: dtype + ", as --dtype says"}
		c.Close()
	}
	return c, err
}

// problem is what C should be.
func (p *problemFlags) problem(in inputs, c *matfile.File) *verify.Problem {
	return &verify.Problem{A: in.a, B: in.b, C0: in.c0, C: c, Alpha: p.alpha, Beta: p.beta, TransA: p.transA, TransB: p.transB}
}
