package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"matmul/internal/matfile"
	"matmul/internal/verify"
	"matmul/tune"
)

func newVerify() *cobra.Command {
	var (
		p      problemFlags
		method string
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

If C is wrong, the exit status is 3.`,
		Example: `  matmul verify A.npy B.npy C.npy
  matmul verify A.npy A.npy gram.npy --trans-b --method exact`,
		Args: arguments("A.npy", "B.npy", "C.npy"),
	}
	p.register(cmd)
	f := cmd.Flags()
	f.StringVar(&method, "method", "gonum", "how to check: gonum, freivalds or exact")
	f.IntVar(&rounds, "rounds", 1, "rounds of freivalds")
	f.Uint64Var(&seed, "seed", 0, "seed of freivalds (default: random)")
	f.BoolVar(&asJSON, "json", false, "print the verdict as JSON")
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
		if err := p.check(cmd); err != nil {
			return err
		}
		show, err := newProgress(flags)
		if err != nil {
			return err
		}
		return runVerify(cmd, &p, args, m, verify.Options{Rounds: rounds, Seed: seed}, show, asJSON)
	}
	return cmd
}

func runVerify(cmd *cobra.Command, p *problemFlags, args []string, m verify.Method, o verify.Options, show progress, asJSON bool) error {
	in, err := p.open(args[0], args[1])
	if err != nil {
		return err
	}
	defer in.close()
	c, err := matfile.Open(args[2])
	if err != nil {
		return err
	}
	defer c.Close()
	problem := p.problem(in, c)
	bytes, err := checkMemory(m, problem, o)
	if err != nil {
		return err
	}
	_, limits := tune.Host().Detect()
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

// problem is what C should be.
func (p *problemFlags) problem(in inputs, c *matfile.File) *verify.Problem {
	return &verify.Problem{A: in.a, B: in.b, C0: in.c0, C: c, Alpha: p.alpha, Beta: p.beta, TransA: p.transA, TransB: p.transB}
}
