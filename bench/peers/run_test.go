package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	becomeChild()
	os.Exit(m.Run())
}

// TestRun measures small sizes with whatever peers are installed: the figures
// mean nothing, that they are there does.
func TestRun(t *testing.T) {
	for _, dtype := range []string{"float64", "float32"} {
		t.Run(dtype, func(t *testing.T) {
			svg := filepath.Join(t.TempDir(), "plot.svg")
			rows := runJSON(t, "-dtype", dtype, "-sizes", "48,40x30x20", "-reps", "5", "-workers", "2", "-gonum", "-gonum-max", "40", "-svg", svg)
			want := []string{"48 " + nameMatmul, "40×30×20 " + nameMatmul, "40×30×20 " + nameGonum}
			for _, l := range findLibraries(exists) {
				want = append(want, "48 "+l.name, "40×30×20 "+l.name)
			}
			var got []string
			for _, r := range rows {
				got = append(got, size{r.M, r.N, r.K}.String()+" "+r.Contender)
				testRow(t, r, dtype)
			}
			slices.Sort(want)
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("rows: %q, want %q", got, want)
			}
			if text, err := os.ReadFile(svg); err != nil || !bytes.Contains(text, []byte(nameLimit)) {
				t.Errorf("plot: %v, %d bytes", err, len(text))
			}
		})
	}
}

// runJSON runs the program and reads its output.
func runJSON(t *testing.T, args ...string) (rows []row) {
	var out, log bytes.Buffer
	if err := run(t.Context(), append(args, "-json"), &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	for dec := json.NewDecoder(&out); ; {
		var r row
		if err := dec.Decode(&r); err == io.EOF {
			return rows
		} else if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
}

func testRow(t *testing.T, r row, dtype string) {
	t.Helper()
	if r.DType != dtype || r.Workers != 2 || len(r.Seconds) != 5 || r.Median != median(r.Seconds) {
		t.Errorf("%+v", r)
	}
	if r.GFLOPS <= 0 || r.Limit <= 0 || r.Share != r.GFLOPS/r.Limit {
		t.Errorf("%s: %v GFLOP/s of %v", r.Contender, r.GFLOPS, r.Limit)
	}
	for _, c := range r.Versus {
		if c.Ratio <= 0 || c.Lower == nil || *c.Lower > c.Ratio {
			t.Errorf("%s: %+v", r.Contender, c)
		}
	}
	if r.Contender == nameMatmul && len(r.Versus) > 0 && r.against(r.Best) == nil {
		t.Errorf("the best peer %q is none of %v", r.Best, r.Versus)
	}
}

func TestRunPrintsATable(t *testing.T) {
	var out, log bytes.Buffer
	if err := run(t.Context(), strings.Fields("-sizes 32 -reps 1 -gonum -workers 1"), &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	for _, want := range []string{nameMatmul, nameGonum, nameLimit, "not to be quoted", "ratio"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
	if !strings.Contains(log.String(), "out of turn") {
		t.Errorf("nothing is said about idle contenders:\n%s", &log)
	}
}

func TestRunFails(t *testing.T) {
	for name, c := range map[string]struct{ args, want string }{
		"on a library that is not there":    {"-lib x=/no/such.so -sizes 8", "x: load library"},
		"on a library that is not CBLAS":    {"-lib x=libc.so.6 -sizes 8", "x: not a CBLAS library"},
		"without a quiet round in time":     {"-sizes 8 -alone 0.9 -within 1ns", "no round in which"},
		"on more memory than the machine's": {"-sizes 2000000", "not enough memory"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), strings.Fields(c.args), &out, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if out.Len() > 0 {
				t.Errorf("it printed %q", &out)
			}
		})
	}
}
