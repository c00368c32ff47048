//go:build campaign

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/tiling"
	"matmul/tune"
)

// The tuner's campaign is long; these make it short.
var (
	tuneReps   = flag.Int("tune.reps", 10, "searches, each from nothing")
	tuneBudget = flag.Duration("tune.budget", time.Minute, "of each search")
	tuneSizes  = flag.String("tune.sizes", "1024,2048,4096", "sizes to judge by")
	tuneGrid   = flag.String("tune.grid", "tile=512:4096:x2,kc=128:640:128,nc=96|192|384", "of the exhaustive sweep")
	tuneSweep  = flag.String("tune.sweep", "", "file of the sweep, to go on with; a temporary one by default")
	tuneRounds = flag.Int("tune.rounds", 15, "interleaved rounds in which choices are measured again")
)

// enoughSpeed is the part of what is best that a search must reach.
const enoughSpeed = 0.99

// TestTuningReachesTheBestOfAnExhaustiveSweep sweeps a grid, and then searches
// from nothing, again and again: at each size what each search chose must reach
// 0.99 of the median of the grid's five best points, and 0.99 of the untuned
// choice, all measured again, in turns.
//
//	go test -tags campaign -timeout 0 -run ExhaustiveSweep -v ./cmd/matmul
func TestTuningReachesTheBestOfAnExhaustiveSweep(t *testing.T) {
	dir := t.TempDir()
	file := *tuneSweep
	if file == "" {
		file = filepath.Join(dir, "sweep.jsonl")
	}
	best := sweepBest(t, file)
	l := testLab(t)
	for rep := range *tuneReps {
		store := filepath.Join(dir, fmt.Sprint("store", rep))
		out := runCommand(t, dir, "tune", "--budget", tuneBudget.String(), "--sizes", *tuneSizes, "--profile", store, "--progress", "never", "--json")
		var r tuneReport
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		t.Logf("search %d chose %s (replaced: %v)", rep, r.Choice, r.Replaced)
		for i, p := range l.sizes {
			judge(t, l, p, r.Choice, best[i])
		}
	}
}

// sweepBest returns the five best choices of the grid at each size.
func sweepBest(t *testing.T, file string) (best [][]tune.Choice) {
	t.Helper()
	runCommand(t, "", "tune", "--sweep", *tuneGrid, "--sizes", *tuneSizes, "-o", file, "--profile", "none", "--progress", "never")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var records []tune.Record
	for line := range strings.Lines(string(data)) {
		var r tune.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	for size := range strings.Split(*tuneSizes, ",") {
		var choices []tune.Choice
		for _, r := range bestRecords(records[1:], size) { // the first is the header
			choices = append(choices, r.Choice)
		}
		best = append(best, choices)
	}
	return best
}

// testLab is the lab that the command would use.
func testLab(t *testing.T) *lab {
	t.Helper()
	c, err := (&poolFlags{isa: "auto", segment: "memfd", profile: noProfile}).resolve(newTune())
	if err != nil {
		t.Fatal(err)
	}
	sizes, err := (&tuneFlags{sizes: strings.Split(*tuneSizes, ",")}).problems()
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLab(&c, elem.Float64, sizes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

// judge measures what was chosen, the untuned choice and the best in turns.
func judge(t *testing.T, l *lab, p tiling.Problem, chosen tune.Choice, best []tune.Choice) {
	t.Helper()
	usual, err := l.crew.untuned(l.t)
	if err != nil {
		t.Fatal(err)
	}
	all := append([]tune.Choice{chosen, usual.choice}, best...)
	speeds := make([][]float64, len(all))
	for round := range *tuneRounds + 1 {
		for i := range all {
			if round%2 == 1 {
				i = len(all) - 1 - i
			}
			s, err := l.measure(context.Background(), p, all[i])
			if err != nil {
				t.Fatal(err)
			}
			if round > 0 {
				speeds[i] = append(speeds[i], p.Flops()/s/1e9)
			}
		}
	}
	var top []float64
	for _, s := range speeds[2:] {
		top = append(top, tune.Median(s))
	}
	got, untuned, five := tune.Median(speeds[0]), tune.Median(speeds[1]), tune.Median(top)
	t.Logf("  n = %s: %.1f GFLOP/s, %.3f of the sweep's five best (%.1f), %.3f of the untuned (%.1f)",
		sizeText(p), got, got/five, five, got/untuned, untuned)
	if got < enoughSpeed*five || chosen != usual.choice && got < enoughSpeed*untuned {
		t.Errorf("n = %s: %s reaches %.3f of the best, %.3f of the untuned", sizeText(p), chosen, got/five, got/untuned)
	}
}

// TestTheModelsGuessIsNearTheBest wants of the first guess, for each kernel and
// type, 0.93 of the best speed that a search finds, at every size.
//
//	go test -tags campaign -timeout 0 -run ModelsGuess -v ./cmd/matmul
func TestTheModelsGuessIsNearTheBest(t *testing.T) {
	for _, dtype := range []string{"float64", "float32"} {
		for _, isa := range gemm.Supported() {
			if isa == gemm.Generic {
				continue
			}
			out := runCommand(t, "", "tune", "--budget", tuneBudget.String(), "--sizes", *tuneSizes, "--isa", isa.String(),
				"--dtype", dtype, "--profile", "none", "--progress", "never", "--json")
			var r tuneReport
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatal(err)
			}
			nearTheBest(t, dtype, isa, r.Candidates)
		}
	}
}

// nearTheBest compares by the ratios to the incumbent, which is in each round.
func nearTheBest(t *testing.T, dtype string, isa gemm.ISA, all []*tune.Candidate) {
	t.Helper()
	best, guess := math.Inf(1), math.NaN()
	var winner tune.Choice
	for _, c := range all {
		if c.Rounds >= 3 && c.Ratio < best {
			best, winner = c.Ratio, c.Choice
		}
		if c.Why == "model" {
			guess = c.Ratio
			t.Logf("%s %s: guess %s, %.3f of the incumbent's time", dtype, isa, c.Choice, c.Ratio)
		}
		if c.Why == "model of Low et al." {
			t.Logf("%s %s: Low   %s, %.3f of the incumbent's time", dtype, isa, c.Choice, c.Ratio)
		}
	}
	t.Logf("%s %s: best  %s, %.3f of the incumbent's time; the guess reaches %.3f of it", dtype, isa, winner, best, best/guess)
	if !(best/guess >= 0.93) {
		t.Errorf("%s %s: the model's guess reaches %.3f of the best", dtype, isa, best/guess)
	}
}
