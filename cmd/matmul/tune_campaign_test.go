//go:build campaign

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
// choice, all measured again, in turns, once for each choice.
//
//	go test -tags campaign -timeout 0 -run ExhaustiveSweep -v ./cmd/matmul
func TestTuningReachesTheBestOfAnExhaustiveSweep(t *testing.T) {
	dir := t.TempDir()
	file := *tuneSweep
	if file == "" {
		file = filepath.Join(dir, "sweep.jsonl")
	}
	best := sweepBest(t, file)
	found := map[tune.Choice]int{} // what was chosen, and how often
	for rep := range *tuneReps {
		store := filepath.Join(dir, fmt.Sprint("store", rep))
		out := runCommand(t, dir, "tune", "--budget", tuneBudget.String(), "--sizes", *tuneSizes, "--profile", store, "--progress", "never", "--json")
		var r tuneReport
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		t.Logf("search %d chose %s (replaced: %v)", rep, r.Choice, r.Replaced)
		found[r.Choice]++
	}
	l := testLab(t, elem.Float64, "auto")
	for choice, times := range found {
		t.Logf("%d of %d searches chose %s", times, *tuneReps, choice)
		for i, p := range l.sizes {
			judge(t, l, p, choice, best[i])
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
func testLab(t *testing.T, dtype elem.Type, isa string) *lab {
	t.Helper()
	c, err := (&poolFlags{isa: isa, segment: "memfd", profile: noProfile}).resolve(newTune())
	if err != nil {
		t.Fatal(err)
	}
	sizes, err := (&tuneFlags{sizes: strings.Split(*tuneSizes, ",")}).problems()
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLab(&c, dtype, sizes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

// inTurns measures choices in turns, back and forth, and returns their median
// GFLOP/s. The first round does not count.
func inTurns(t *testing.T, l *lab, p tiling.Problem, all []tune.Choice) (medians []float64) {
	t.Helper()
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
	for _, s := range speeds {
		medians = append(medians, tune.Median(s))
	}
	return medians
}

// judge measures what was chosen, the untuned choice and the best in turns.
func judge(t *testing.T, l *lab, p tiling.Problem, chosen tune.Choice, best []tune.Choice) {
	t.Helper()
	usual, err := l.crew.untuned(l.t)
	if err != nil {
		t.Fatal(err)
	}
	speeds := inTurns(t, l, p, append([]tune.Choice{chosen, usual.choice}, best...))
	got, untuned, five := speeds[0], speeds[1], tune.Median(speeds[2:])
	t.Logf("  n = %s: %.1f GFLOP/s, %.3f of the sweep's five best (%.1f), %.3f of the untuned (%.1f)",
		sizeText(p), got, got/five, five, got/untuned, untuned)
	if got < enoughSpeed*five || chosen != usual.choice && got < enoughSpeed*untuned {
		t.Errorf("n = %s: %s reaches %.3f of the best, %.3f of the untuned", sizeText(p), chosen, got/five, got/untuned)
	}
}

// TestTheModelsGuessIsNearTheBest wants of the first guess, for each kernel and
// type, 0.93 of the best speed that a search finds, at every size, measured in
// turns. It shows Low's blocks beside it.
//
//	go test -tags campaign -timeout 0 -run ModelsGuess -v ./cmd/matmul
func TestTheModelsGuessIsNearTheBest(t *testing.T) {
	for _, dtype := range []elem.Type{elem.Float64, elem.Float32} {
		for _, isa := range gemm.Supported() {
			if isa != gemm.Generic {
				t.Run(fmt.Sprintf("%s %s", dtype, isa), func(t *testing.T) { guessOf(t, dtype, isa.String()) })
			}
		}
	}
}

func guessOf(t *testing.T, dtype elem.Type, isa string) {
	out := runCommand(t, "", "tune", "--budget", tuneBudget.String(), "--sizes", *tuneSizes, "--isa", isa,
		"--dtype", dtype.String(), "--profile", "none", "--progress", "never", "--json")
	var r tuneReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	l := testLab(t, dtype, isa)
	choices := contenders(t, l, r.Candidates)
	for _, p := range l.sizes {
		speeds := inTurns(t, l, p, choices)
		best := slices.Max(speeds)
		for i, c := range choices {
			t.Logf("  n = %s: %.1f GFLOP/s, %.3f of the best: %s", sizeText(p), speeds[i], speeds[i]/best, c)
		}
		if speeds[0] < 0.93*best {
			t.Errorf("n = %s: the guess, %s, reaches %.3f of the best", sizeText(p), choices[0], speeds[0]/best)
		}
	}
}

// contenders are the guess, Low's blocks, the untuned ones and the best four of
// a search.
func contenders(t *testing.T, l *lab, all []*tune.Candidate) []tune.Choice {
	t.Helper()
	usual, err := l.crew.untuned(l.t)
	if err != nil {
		t.Fatal(err)
	}
	guess, low := usual.choice, usual.choice
	g := tune.Guess(usual.kernel, l.crew.share())
	guess.MC, guess.KC, guess.NC = g.MC, g.KC, g.NC
	b := tune.Low(usual.kernel, l.crew.machine.Levels(l.crew.share()))
	low.MC, low.KC, low.NC = b.MC, b.KC, b.NC
	choices := []tune.Choice{guess, low, usual.choice}
	for _, c := range all {
		if len(choices) < 7 && c.Rounds >= 3 && !slices.Contains(choices, c.Choice) {
			choices = append(choices, c.Choice)
		}
	}
	return choices
}
