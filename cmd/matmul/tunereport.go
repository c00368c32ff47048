package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"matmul/tiling"
	"matmul/tune"
)

// tuneReport is what tune prints.
type tuneReport struct {
	*tune.Outcome
	DType   string  `json:"dtype"`
	ISA     string  `json:"isa"`
	Workers int     `json:"workers"`
	Kernel  string  `json:"kernel"`
	Budget  float64 `json:"budget_s"`
	Limit   float64 `json:"limit_gflops"`
	Profile string  `json:"profile"`
}

func (x *tuning) newTuneReport(o *tune.Outcome) *tuneReport {
	r := &tuneReport{Outcome: o, DType: x.t.String(), ISA: x.crew.isa.String(), Workers: x.crew.workers, Budget: x.budget.Seconds()}
	if u, err := x.lab.tuned(o.Choice); err == nil {
		r.Kernel = u.kernel.String()
	}
	return r
}

// mostShown is how many candidates are shown.
const mostShown = 12

func (r *tuneReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s, %s, %d worker(s), %d candidates, FMA limit %.1f GFLOP/s\n", r.Kernel, r.DType, r.Workers, len(r.Candidates), r.Limit)
	fmt.Fprintf(&text, "%s  rounds  %-12s  %-*s  candidate\n", r.heading(), "time ratio", barWidth, "GFLOP/s of the limit")
	for i, c := range r.Candidates {
		if i < mostShown || c.Why == "incumbent" || c.Why == "model" {
			fmt.Fprintf(&text, "%s  %6d  %5.3f ±%5.3f  %s  %s (%s)\n", r.speeds(c.GFLOPS), c.Rounds, c.Ratio, c.Spread, barOf(overall(c.GFLOPS), r.Limit), c.Choice, c.Why)
		}
	}
	if rest := len(r.Candidates) - mostShown; rest > 0 {
		fmt.Fprintf(&text, "and slower ones\n")
	}
	text.WriteString(r.verdict())
	_, err := io.WriteString(out, text.String())
	return err
}

// heading names the columns of the sizes.
func (r *tuneReport) heading() (s string) {
	for _, p := range r.Sizes {
		s += fmt.Sprintf("%*s", r.width(), sizeText(p))
	}
	return s
}

func (r *tuneReport) width() (w int) {
	for _, p := range r.Sizes {
		w = max(w, len(sizeText(p))+2)
	}
	return max(w, 8)
}

func (r *tuneReport) speeds(gflops []float64) (s string) {
	for _, v := range gflops {
		if v > 0 {
			s += fmt.Sprintf("%*.1f", r.width(), v)
		} else {
			s += fmt.Sprintf("%*s", r.width(), "-")
		}
	}
	return s
}

// verdict says what was chosen, and why.
func (r *tuneReport) verdict() string {
	var s strings.Builder
	if c := r.Confirmed; c != nil && c.Rounds > 0 {
		fmt.Fprintf(&s, "compared afresh, %d rounds: %s takes %.3f ± %.3f of the time of %s\n", c.Rounds, c.A, c.Ratio, c.Error, c.B)
	}
	switch {
	case r.Replaced:
		fmt.Fprintf(&s, "chosen: %s\n", r.Choice)
	case r.Found != nil:
		fmt.Fprintf(&s, "stopped: %s stays; the next search begins with %s\n", r.Choice, *r.Found)
	default:
		fmt.Fprintf(&s, "nothing wins against it: %s stays\n", r.Choice)
	}
	if c := r.Untuned; c != nil && c.Rounds > 0 {
		fmt.Fprintf(&s, "against the untuned choice: %s of the time at %s\n", ratios(c.Ratios), strings.TrimSpace(r.heading()))
	}
	if r.Profile != "" {
		fmt.Fprintf(&s, "profile: %s\n", oneLine(r.Profile))
	}
	return s.String()
}

func ratios(v []float64) string {
	words := make([]string, len(v))
	for i, x := range v {
		words[i] = fmt.Sprintf("%.3f", x)
	}
	return strings.Join(words, ", ")
}

// overall is the geometric mean of the speeds that were measured.
func overall(gflops []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range gflops {
		if v > 0 {
			sum += math.Log(v)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return math.Exp(sum / float64(n))
}

// barWidth is the length of a bar that reaches the limit.
const barWidth = 24

// barOf draws a speed as a bar, in eighths of a character.
func barOf(v, limit float64) string {
	eighths := 0
	if limit > 0 {
		eighths = int(math.Round(min(max(v/limit, 0), 1) * barWidth * 8))
	}
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return bar + strings.Repeat("·", barWidth-(eighths+7)/8)
}

// bestSoFar is what the progress bar says beside its name.
func bestSoFar(c tune.Candidate) string {
	if len(c.GFLOPS) == 0 || overall(c.GFLOPS) == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f GFLOP/s: %s", overall(c.GFLOPS), c.Choice)
}

// sizeText writes the size of a product: N, or MxNxK.
func sizeText(p tiling.Problem) string {
	if p.M == p.N && p.N == p.K {
		return fmt.Sprint(p.N)
	}
	return fmt.Sprintf("%dx%dx%d", p.M, p.N, p.K)
}
