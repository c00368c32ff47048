package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"matmul/internal/matfile"
	"matmul/internal/verify"
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
  exact      the bits of each element against the definition`,
		Example: `  matmul verify A.npy B.npy C.npy
  matmul verify A.npy A.npy gram.npy --trans-b --method exact`,
		Args: cobra.ExactArgs(3),
	}
	p.register(cmd)
	f := cmd.Flags()
	f.StringVar(&method, "method", "gonum", "how to check: gonum, freivalds or exact")
	f.IntVar(&rounds, "rounds", 1, "rounds of freivalds")
	f.Uint64Var(&seed, "seed", 0, "seed of freivalds (default: random)")
	f.BoolVar(&asJSON, "json", false, "print the verdict as JSON")
	mode := progressFlag(cmd)
	complete(cmd, "method", "gonum", "freivalds", "exact")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := verify.ParseMethod(method)
		if err != nil {
			return usageError{err}
		}
		if rounds < 1 {
			return usagef("--rounds %d: want at least 1", rounds)
		}
		if err := p.check(cmd); err != nil {
			return err
		}
		show, err := newProgress(*mode)
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
	bar := show.start("verify", nil)
	o.Progress = bar.set
	r, err := verify.Run(cmd.Context(), m, p.problem(in, c), o)
	bar.end()
	if err != nil {
		return err
	}
	v := newVerdict(r)
	out := output{cmd: cmd}
	if asJSON {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		out.printf("%s\n", b)
	} else {
		out.printf("%s\n", v.text(args[2]))
	}
	if err := out.result(); err != nil {
		return err
	}
	if !v.OK {
		return wrongError{errSaid}
	}
	return nil
}

// problem is what C should be.
func (p *problemFlags) problem(in inputs, c *matfile.File) *verify.Problem {
	return &verify.Problem{A: in.a, B: in.b, C0: in.c0, C: c, Alpha: p.alpha, Beta: p.beta, TransA: p.transA, TransB: p.transB}
}

// verdict is a verification's report as it is printed.
type verdict struct {
	Method  string   `json:"method"`
	OK      bool     `json:"ok"`
	Wrong   int64    `json:"wrong"`
	Defined int64    `json:"compared_with_definition"`
	Row     int64    `json:"worst_row"`
	Col     int64    `json:"worst_col"`
	Got     jsonReal `json:"worst_got"`
	Want    jsonReal `json:"worst_want"`
	Error   jsonReal `json:"worst_error"`
	Bound   jsonReal `json:"worst_bound"`
	Rounds  int      `json:"rounds,omitempty"`
	Seed    uint64   `json:"seed,omitempty"`
	Seconds float64  `json:"seconds"`
	perRow  bool
}

// jsonReal is a float that may be NaN or infinite, which JSON numbers cannot.
type jsonReal float64

func (r jsonReal) MarshalJSON() ([]byte, error) {
	v := float64(r)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return json.Marshal(fmt.Sprint(v))
	}
	return json.Marshal(v)
}

func newVerdict(r verify.Report) verdict {
	d := r.Element
	return verdict{Method: string(r.Method), OK: r.OK, Wrong: r.Wrong, Defined: r.Defined,
		Row: d.Row, Col: d.Col, Got: jsonReal(d.Got), Want: jsonReal(d.Want), Error: jsonReal(d.Error), Bound: jsonReal(d.Bound),
		Rounds: r.Rounds, Seed: r.Seed, Seconds: r.Elapsed.Seconds(),
		perRow: r.Method == verify.Freivalds}
}

// text is the verdict for people: one line if C is right, and what is worst.
func (v verdict) text(name string) string {
	var b strings.Builder
	word := "right"
	if !v.OK {
		word = "WRONG"
	}
	fmt.Fprintf(&b, "%s: %s (%s, %.3g s)", name, word, v.Method, v.Seconds)
	things := "elements"
	if v.perRow {
		things = "rows"
	}
	if v.Wrong > 0 {
		fmt.Fprintf(&b, "\n  %s wrong: %d", things, v.Wrong)
	}
	if v.Defined > 0 && v.Method != string(verify.Exact) {
		fmt.Fprintf(&b, "\n  %s compared with the definition, having no finite bound: %d", things, v.Defined)
	}
	if v.Row < 0 || v.OK && v.Error == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "\n  worst: %s, error %.3g, bound %.3g", place(v.Row, v.Col), float64(v.Error), float64(v.Bound))
	if !v.OK {
		fmt.Fprintf(&b, "; got %v, want %v", float64(v.Got), float64(v.Want))
	}
	return b.String()
}

func place(row, col int64) string {
	if col < 0 {
		return fmt.Sprintf("row %d", row)
	}
	return fmt.Sprintf("element (%d, %d)", row, col)
}
