package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

const tableLine = "%-17s %-10s %12s %9s %7s %7s %7s  %s\n"

// printTable writes the results for people.
func printTable(out io.Writer, o *options, players []*child, rows []row) error {
	var t strings.Builder
	fmt.Fprintf(&t, "%s, %d worker(s), as many threads for each peer; %d rounds\n", o.dtype, o.workers, o.reps)
	if o.alone > 0 {
		fmt.Fprintf(&t, "  those count in which each core issued %g of its best, beside each turn\n", o.alone)
	}
	for _, p := range players {
		fmt.Fprintf(&t, "  %-10s %s\n", p.name, strings.Join(nonEmpty(p.about, p.path, p.note), "; "))
	}
	if slices.ContainsFunc(rows, func(r row) bool { return r.Reps < quotedReps }) {
		fmt.Fprintf(&t, "  fewer than %d rounds: not to be quoted\n", quotedReps)
	}
	t.WriteByte('\n')
	fmt.Fprintf(&t, tableLine, "m×n×k", "contender", "median", "GFLOP/s", "limit", "ratio", "≥95 %", "")
	for i := range rows {
		r := &rows[i]
		if r.Contender == nameMatmul {
			fmt.Fprintf(&t, tableLine, r.size, nameLimit, "", number(r.Limit), "100 %", "", "", counted(o, r))
			tableMatmul(&t, r)
			continue
		}
		tablePeer(&t, r)
	}
	t.WriteString("\nlimit: share of the FMA limit. ratio: a peer's time by matmul's, median of the pairs\n" +
		"(matmul's own line: against the best peer); ≥95 %: lower bound of that median.\n")
	_, err := io.WriteString(out, t.String())
	return err
}

// counted says how many rounds count where not all do.
func counted(o *options, r *row) string {
	if o.alone == 0 {
		return ""
	}
	return fmt.Sprintf("%d rounds, %d dropped", r.Reps, r.Dropped)
}

func tableMatmul(t *strings.Builder, r *row) {
	ratio, lower, note := "", "", ""
	if c := r.against(r.Best); c != nil {
		ratio, lower = c.cells()
		note = "against " + r.Best
	}
	if r.Packed > 0 {
		note = strings.Join(nonEmpty(note, fmt.Sprintf("packed alone %s, %s", milliseconds(r.Packed), percent(r.Alone))), "; ")
	}
	fmt.Fprintf(t, tableLine, "", r.Contender, milliseconds(r.Median), number(r.GFLOPS), percent(r.Share), ratio, lower, note)
}

func tablePeer(t *strings.Builder, r *row) {
	ratio, lower := r.Versus[0].cells()
	fmt.Fprintf(t, tableLine, "", r.Contender, milliseconds(r.Median), number(r.GFLOPS), percent(r.Share), ratio, lower, "")
}

func (c *comparison) cells() (ratio, lower string) {
	if c.Lower != nil {
		lower = fmt.Sprintf("%.3f", *c.Lower)
	}
	return fmt.Sprintf("%.3f", c.Ratio), lower
}

func milliseconds(s float64) string { return fmt.Sprintf("%.4g ms", 1e3*s) }
func number(v float64) string       { return fmt.Sprintf("%.1f", v) }
func percent(v float64) string      { return fmt.Sprintf("%.1f %%", 100*v) }
