package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/master"
	"matmul/shmmat"
)

// problemFlags are the flags that say what C is: run and verify have them.
type problemFlags struct {
	alpha, beta    float64
	transA, transB bool
	c0             string
}

func (p *problemFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Float64Var(&p.alpha, "alpha", 1, "factor of op(A)*op(B)")
	f.Float64Var(&p.beta, "beta", 0, "factor of C0; needs --c0")
	f.StringVar(&p.c0, "c0", "", "`FILE` with C0; not read if beta is 0")
	f.BoolVar(&p.transA, "trans-a", false, "use the transpose of A")
	f.BoolVar(&p.transB, "trans-b", false, "use the transpose of B")
}

func (p *problemFlags) check(cmd *cobra.Command) error {
	if math.IsNaN(p.alpha) {
		return usagef("--alpha is NaN: want a number")
	}
	if math.IsNaN(p.beta) {
		return usagef("--beta is NaN: want a number")
	}
	if p.beta != 0 && p.c0 == "" {
		return usagef("--beta %v needs --c0 FILE", p.beta)
	}
	if p.c0 != "" && !cmd.Flags().Changed("beta") {
		return usagef("--c0 needs --beta")
	}
	return nil
}

// inputs are the open operands of a product.
type inputs struct {
	a, b, c0 *matfile.File // c0 is nil without --c0
}

// open opens the operands and checks that their shapes fit. What is named twice is
// opened once: standard input has one matrix.
func (p *problemFlags) open(ctx context.Context, o *matfile.Opener, a, b string) (in inputs, err error) {
	opened := map[string]*matfile.File{}
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	for _, f := range []struct {
		to   **matfile.File
		path string
	}{{&in.a, a}, {&in.b, b}, {&in.c0, p.c0}} {
		if f.path == "" && f.to == &in.c0 {
			continue
		}
		if *f.to = opened[f.path]; *f.to != nil {
			continue
		}
		if *f.to, err = o.Open(ctx, f.path); err != nil {
			return in, err
		}
		opened[f.path] = *f.to
	}
	return in, p.fit(in)
}

func (in inputs) all() (fs []*matfile.File) {
	for _, f := range []*matfile.File{in.a, in.b, in.c0} {
		if f != nil {
			fs = append(fs, f)
		}
	}
	return fs
}

func (in inputs) close() {
	for _, f := range in.all() {
		f.Close()
	}
}

// copied returns the bytes of copies of the inputs.
func (in inputs) copied() (bytes int64) {
	seen := map[*matfile.File]bool{}
	for _, f := range in.all() {
		if !seen[f] {
			seen[f] = true
			bytes += f.Copied()
		}
	}
	return bytes
}

// changed returns an error if an input is not what it was when it was opened.
func (in inputs) changed() error {
	for _, f := range in.all() {
		if err := f.Changed(); err != nil {
			return err
		}
	}
	return nil
}

// fit checks that the operands' shapes fit together.
func (p *problemFlags) fit(in inputs) error {
	a, b := operand(in.a, in.a.AsRow(), p.transA), operand(in.b, in.b.AsColumn(), p.transB)
	if a.Cols != b.Rows {
		return &matfile.Error{Path: in.b.Path,
			Problem: fmt.Sprintf("inner dimensions differ: op(A) of %s is %d×%d, op(B) is %d×%d",
				in.a.Path, a.Rows, a.Cols, b.Rows, b.Cols),
			Advice: transposeAdvice(a, b)}
	}
	if in.c0 == nil {
		return nil
	}
	if c0 := p.result(in.c0, a.Rows); c0.Rows != a.Rows || c0.Cols != b.Cols {
		return &matfile.Error{Path: in.c0.Path, Problem: "C0 has the shape " + in.c0.Shape(),
			Want: fmt.Sprintf("(%d, %d), the shape of C", a.Rows, b.Cols)}
	}
	return nil
}

// transposeAdvice says which transposition would make the shapes fit.
func transposeAdvice(a, b master.Operand) string {
	switch {
	case a.Rows == b.Rows && a.Cols == b.Cols:
		return "toggle --trans-a or --trans-b"
	case a.Cols == b.Cols:
		return "toggle --trans-b"
	case a.Rows == b.Rows:
		return "toggle --trans-a"
	case a.Rows == b.Cols:
		return "swap A and B, or toggle both --trans-a and --trans-b"
	}
	return "no transposition makes them fit"
}

// operand returns a file as the product uses it.
func operand(f *matfile.File, in matfile.Info, trans bool) master.Operand {
	_, length := in.Vectors()
	m := shmmat.Matrix{Rows: in.Rows, Cols: in.Cols, LD: length, Offset: in.Offset,
		Type: in.Elem, BigEndian: in.BigEndian, InFile: true}
	if in.Fortran {
		m.Order = shmmat.ColMajor
	}
	if trans {
		m = m.T()
	}
	return master.Operand{Matrix: m, File: f.File}
}

// result returns the operand of a file of C's shape, which may be 1-D.
func (p *problemFlags) result(f *matfile.File, rows int64) master.Operand {
	if rows == 1 {
		return operand(f, f.AsRow(), false)
	}
	return operand(f, f.AsColumn(), false)
}

// typeOf returns the element type of the computation: what --dtype says, or
// the widest of the operands that are used.
func (p *problemFlags) typeOf(in inputs, dtype string) (elem.Type, error) {
	if dtype != "" {
		return elem.Parse(dtype)
	}
	ts := []elem.Type{in.a.Elem, in.b.Elem}
	if in.c0 != nil {
		ts = append(ts, in.c0.Elem)
	}
	return elem.Widest(ts...), nil
}

// rounded returns v rounded to t.
func rounded(t elem.Type, v float64) float64 {
	if t == elem.Float32 {
		return float64(float32(v))
	}
	return v
}

// parseSizes reads "MxN" or "MxNxK": count positive numbers.
func parseSizes(s string, count int) ([]int64, error) {
	parts := strings.Split(strings.ToLower(s), "x")
	if len(parts) != count {
		return nil, fmt.Errorf("%q: want %s", s, strings.Join([]string{"M", "N", "K"}[:count], "x"))
	}
	out := make([]int64, count)
	for i, part := range parts {
		v, err := strconv.ParseInt(part, 10, 64)
		if err != nil || v < 1 {
			return nil, fmt.Errorf("%q: %q is not a positive number", s, part)
		}
		out[i] = v
	}
	return out, nil
}
