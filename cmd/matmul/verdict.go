package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"matmul/internal/verify"
)

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
}

// jsonReal is a float that may be NaN or infinite, which JSON numbers cannot.
type jsonReal float64

// MarshalJSON returns a number, or a string for what is none in JSON.
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
		Rounds: r.Rounds, Seed: r.Seed, Seconds: r.Elapsed.Seconds()}
}

// err is nil if C is right, else what is wrong with it in one line.
func (v verdict) err(name string) error {
	if v.OK {
		return nil
	}
	return wrongError{fmt.Errorf("%s: is not the product: %s (%s); %s", name, v.count(v.Wrong), v.Method, v.worst())}
}

// text is the verdict for people: one line, and what is worst.
func (v verdict) text(name string) string {
	var b strings.Builder
	word := "right"
	if !v.OK {
		word = "WRONG: " + v.count(v.Wrong)
	}
	fmt.Fprintf(&b, "%s: %s (%s, %.3g s)\n", oneLine(name), word, v.Method, v.Seconds)
	if v.Defined > 0 && v.Method != string(verify.Exact) {
		fmt.Fprintf(&b, "  %s compared with the definition, having no finite bound\n", v.count(v.Defined))
	}
	if v.Row >= 0 && (!v.OK || v.Error != 0) {
		fmt.Fprintf(&b, "  %s\n", v.worst())
	}
	return b.String()
}

// count says how many of what the method compares.
func (v verdict) count(n int64) string {
	thing := "element"
	if v.Method == string(verify.Freivalds) {
		thing = "row"
	}
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// worst describes the worst comparison.
func (v verdict) worst() string {
	s := fmt.Sprintf("worst: %s, error %.3g, bound %.3g", place(v.Row, v.Col), float64(v.Error), float64(v.Bound))
	if !v.OK {
		s += fmt.Sprintf(", got %v, want %v", float64(v.Got), float64(v.Want))
	}
	return s
}

func place(row, col int64) string {
	if col < 0 {
		return fmt.Sprintf("row %d", row)
	}
	return fmt.Sprintf("element (%d, %d)", row, col)
}
