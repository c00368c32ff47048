package ipc

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"matmul/internal/sys"
	"matmul/tiling"
	"matmul/tune"
)

// Curve is what one way takes at each size, and the line that predicts it.
type Curve struct {
	Way     Way           `json:"way"`
	Samples []tune.Sample `json:"samples"`
	// Line is fitted to every other size of at least [From] bytes. Miss is the median relative error of
	// its predictions at the sizes in between.
	Line tune.Line `json:"model"`
	Miss float64   `json:"median_error"`
	// Bare is what the smallest message takes, one cache line, in seconds: what
	// handing over a task costs. It is less than the model's σ where the first
	// lines of more data take their time.
	Bare float64 `json:"bare_s"`
}

// From is the size in bytes from which the model is fitted and judged. Below,
// messages are a few cache lines, whose time hardly depends on their number.
const From = 4 << 10

// Options say how to measure.
type Options struct {
	// CPUs are the processors of sender and receiver; nil for any.
	CPUs []int
	// Effort scales the number of measurements; 1 takes about ten seconds, 0
	// measures everything as little as possible.
	Effort float64
	// Progress is told how far the work is; it may be nil.
	Progress func(done, total int64)
}

// passes is how often all is measured anew: the host is not the same all the
// time, and a virtual processor that sleeps may wake in 30 µs or in 60, for
// seconds on end.
const passes = 12

// Measure measures every way at every size.
func Measure(ctx context.Context, o Options) ([]Curve, error) {
	restore, err := settleOn(o.CPUs)
	if err != nil {
		return nil, err
	}
	defer restore()
	cpu := -1
	if len(o.CPUs) > 1 {
		cpu = o.CPUs[1]
	}
	l, err := newLink(cpu)
	if err != nil {
		return nil, fmt.Errorf("measure messages: %w", err)
	}
	defer l.close()
	times, err := l.measureAll(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("measure messages: %w", err)
	}
	return curves(times), nil
}

// settleOn locks the goroutine to a thread on the sender's processor.
func settleOn(cpus []int) (restore func(), err error) {
	runtime.LockOSThread()
	home, err := sys.Affinity(0)
	if err == nil && len(cpus) > 0 {
		err = sys.SetAffinity(0, cpus[:1])
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return func() {
		_ = sys.SetAffinity(0, home) // it was there before
		runtime.UnlockOSThread()
	}, nil
}

// times are seconds by way and size.
type times map[Way]map[int64][]float64

func (l *link) measureAll(ctx context.Context, o Options) (times, error) {
	all := times{}
	for _, w := range Ways() {
		all[w] = map[int64][]float64{}
	}
	rounds := max(int(passes*o.Effort), 1)
	done, total := int64(0), int64(rounds*len(Sizes())*len(Ways()))
	for range rounds {
		for _, n := range Sizes() {
			for _, w := range Ways() {
				got, err := l.measure(ctx, w, n, o.Effort)
				if err != nil {
					return nil, err
				}
				all[w][n] = append(all[w][n], got...)
				if done++; o.Progress != nil {
					o.Progress(done, total)
				}
			}
		}
	}
	return all, nil
}

// Each point is measured for so long in each pass, at least and at most so many
// times. The first is not counted.
const (
	pointTime = 15 * time.Millisecond
	minReps   = 2
	maxReps   = 50
)

func (l *link) measure(ctx context.Context, w Way, n int64, effort float64) (seconds []float64, err error) {
	spin := time.Duration(0)
	if w == Spinning {
		spin = patience
	}
	l.send(settle, tiling.Rect{R0: int64(spin)})
	if _, err := l.answer(ctx); err != nil {
		return nil, err
	}
	limit := time.Duration(effort * float64(pointTime))
	for start := time.Now(); len(seconds) <= minReps || len(seconds) <= maxReps && time.Since(start) < limit; {
		d, err := l.handOver(ctx, w, n)
		if err != nil {
			return nil, err
		}
		seconds = append(seconds, d.Seconds())
	}
	return seconds[1:], nil
}

// curves sums up.
func curves(all times) (cs []Curve) {
	for _, w := range Ways() {
		c := Curve{Way: w}
		var fitted, between []tune.Sample
		for i, n := range Sizes() {
			s := tune.Sample{Bytes: n, Seconds: max(tune.Median(all[w][n]), 1e-9)}
			c.Samples = append(c.Samples, s)
			switch {
			case n < From:
			case i%2 == 0:
				fitted = append(fitted, s)
			default:
				between = append(between, s)
			}
		}
		c.Bare = c.Samples[0].Seconds
		c.Line = tune.FitLine(fitted)
		c.Miss = c.Line.Misses(between, From)
		cs = append(cs, c)
	}
	return cs
}
