package main

import (
	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/gen"
	"matmul/internal/matfile"
)

func newGen() *cobra.Command {
	var (
		out, dtype, kind string
		rows, cols       int64
		seed             uint64
		force            bool
	)
	cmd := &cobra.Command{
		Use:   "gen -o FILE --rows M --cols N",
		Short: "Make a matrix to try things with",
		Long: `gen writes an .npy file whose bytes depend on the flags alone: the same seed
gives the same matrix on every machine.`,
		Example: `  matmul gen -o A.npy --rows 4096 --cols 4096
  matmul gen -o B.npy --rows 1000 --cols 20 --dtype float32 --kind normal --seed 7`,
		Args: arguments(),
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "`FILE` to write")
	f.Int64Var(&rows, "rows", 0, "number of rows")
	f.Int64Var(&cols, "cols", 0, "number of columns")
	f.StringVar(&dtype, "dtype", "float64", "element type: float64 or float32")
	f.StringVar(&kind, "kind", "uniform", "elements: uniform in [-1, 1), normal, integer or identity")
	f.Uint64Var(&seed, "seed", 1, "choose another matrix of that kind")
	f.BoolVar(&force, "force", false, "replace the file if it exists")
	show := progressFlag(cmd)
	complete(cmd, "dtype", "float64", "float32")
	complete(cmd, "kind", "uniform", "normal", "integer", "identity")
	for _, name := range []string{"output", "rows", "cols"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		t, err := elem.Parse(dtype)
		if err != nil {
			return flagError("dtype", err)
		}
		k, err := gen.ParseKind(kind)
		if err != nil {
			return flagError("kind", err)
		}
		if rows < 0 || cols < 0 {
			return usagef("--rows %d --cols %d: want numbers that are not negative", rows, cols)
		}
		bars, err := newProgress(show)
		if err != nil {
			return err
		}
		o, err := matfile.Create(out, rows, cols, t, force)
		if err != nil {
			return err
		}
		defer o.Abort()
		m := bars.start("gen "+out, nil)
		err = gen.Write(cmd.Context(), o, gen.Spec{Kind: k, Seed: seed}, m.set)
		m.end()
		if err != nil {
			return err
		}
		return o.Commit()
	}
	return cmd
}
