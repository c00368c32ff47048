package main

import (
	"context"

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
		Long: `gen writes a file whose bytes depend on the flags alone: the same seed gives the
same matrix on every machine. Its format is that of its extension, as in run.`,
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
	format := formatFlag(cmd)
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
		to, err := parseTarget(out, *format)
		if err != nil {
			return err
		}
		return generate(cmd.Context(), to, rows, cols, t, gen.Spec{Kind: k, Seed: seed}, force, bars)
	}
	return cmd
}

// generate writes what s describes to the target.
func generate(ctx context.Context, to matfile.Target, rows, cols int64, t elem.Type, s gen.Spec, force bool, show progress) (err error) {
	if err := to.Check(rows, cols); err != nil {
		return err
	}
	var o, sheet *matfile.Output
	if to.IsPlain() {
		o, err = matfile.Create(to.Path, rows, cols, t, force)
	} else {
		if !to.Stream {
			if sheet, err = matfile.CreateBlank(to.Path, force, false); err != nil {
				return err
			}
			defer sheet.Abort()
		}
		o, err = matfile.CreateScratch(outputDir(to), rows, cols, t)
	}
	if err != nil {
		return err
	}
	defer o.Abort()
	m := show.start("gen "+to.Path, nil)
	err = gen.Write(ctx, o, s, m.set)
	m.end()
	switch {
	case err != nil:
		return err
	case to.IsPlain():
		return o.Commit()
	}
	if err := convert(ctx, to, &matfile.File{Info: o.Info, File: o.File()}, sheet, true, show); err != nil || sheet == nil {
		return err
	}
	return sheet.Commit()
}
