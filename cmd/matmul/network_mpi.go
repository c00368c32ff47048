//go:build mpi

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/mpi"
	"matmul/internal/summa"
	"matmul/internal/sys"
	"matmul/tune"
)

// onRanks measures the network between the first and the last rank of an MPI
// job, and reports whether there is one.
func (f *benchFlags) onRanks(cmd *cobra.Command) (did bool, err error) {
	if !mpi.Launched() {
		return false, nil
	}
	t, err := join(cmd.Context())
	if err != nil {
		return true, err
	}
	defer t.leave()
	ctx := cmd.Context()
	if t.world.Size < 2 {
		err = usagef("bench under MPI measures the network: start two ranks or more")
	} else if f.reps < 1 {
		err = usagef("--reps %d: want at least 1", f.reps)
	}
	var samples []tune.Sample
	var processor float64
	if err = t.agree(ctx, err); err == nil {
		samples, err = t.pingPong(ctx, f.reps)
	}
	if err == nil {
		processor, err = t.effort(ctx, samples)
	}
	if err == nil && t.world.Rank == 0 {
		err = f.printNetwork(cmd, samples, processor)
	}
	return true, t.conclude(ctx, err)
}

// The sizes of messages that are measured, in bytes.
const (
	leastMessage = 8
	mostMessage  = 64 << 20
)

// pingPong returns what it takes to send a message between the first and the last
// rank, half of the time there and back: for each size the median. Rank 0 has
// the result. Collective.
func (t *team) pingPong(ctx context.Context, reps int) (samples []tune.Sample, err error) {
	last := t.world.Size - 1
	buf := mpi.Alloc(mostMessage)
	for n := leastMessage; n <= mostMessage && (t.world.Rank == 0 || t.world.Rank == last); n *= 4 {
		seconds := make([]float64, 0, reps)
		for i := range reps + 1 { // the first is not counted
			begin := time.Now()
			if t.world.Rank == 0 {
				err = t.exchange(ctx, buf[:n], last, true)
			} else {
				err = t.exchange(ctx, buf[:n], 0, false)
			}
			if err != nil {
				return nil, err
			}
			if i > 0 {
				seconds = append(seconds, time.Since(begin).Seconds()/2)
			}
		}
		slices.Sort(seconds)
		samples = append(samples, tune.Sample{Bytes: int64(n), Seconds: seconds[len(seconds)/2]})
	}
	return samples, nil
}

// effort returns how many bytes a rank receives, and sends as many meanwhile, in each
// second of processor time that it takes: all of its threads, which look for messages
// as often as they do while workers compute, on the network of these samples. It is measured between the first and the
// last rank. Collective.
func (t *team) effort(ctx context.Context, samples []tune.Sample) (bytesPerSecond float64, err error) {
	last := t.world.Size - 1
	if t.world.Rank > 0 && t.world.Rank < last {
		return 0, nil
	}
	pause := busyPause(summa.Network{Bandwidth: tune.FitLine(samples).Bandwidth})
	in, out := mpi.Alloc(mostMessage), mpi.Alloc(mostMessage)
	const times = 2 // the first is not counted
	var took time.Duration
	for range times {
		begin, err := sys.ProcessorTime(0)
		if err != nil {
			return 0, err
		}
		got, err := t.world.Receive(in, last-t.world.Rank)
		if t.reached(err) != nil {
			return 0, err
		}
		sent, err := t.world.Send(out, last-t.world.Rank)
		if t.reached(err) != nil {
			return 0, err
		}
		requests := []*mpi.Request{got, sent}
		if err := t.until(ctx, func() (bool, error) { return allDone(requests) }, func() { sys.Nap(pause) }); err != nil {
			return 0, err
		}
		end, err := sys.ProcessorTime(0)
		if err != nil {
			return 0, err
		}
		took = end - begin
	}
	return mostMessage / max(took, 1).Seconds(), nil
}

// exchange sends a message to a peer and receives it back, or the other way round.
func (t *team) exchange(ctx context.Context, buf []byte, peer int, first bool) error {
	for i := range 2 {
		transfer := t.world.Receive
		if (i == 0) == first {
			transfer = t.world.Send
		}
		r, err := transfer(buf, peer)
		if t.reached(err) != nil {
			return err
		}
		for done := false; !done; {
			if done, err = r.Done(); t.reached(err) != nil {
				return err
			}
			if ctx.Err() != nil {
				t.lost = true
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// networkReport is what bench prints under MPI.
type networkReport struct {
	Library string        `json:"library"`
	Samples []tune.Sample `json:"samples"`
	summa.Network
	Misses float64 `json:"median_error"` // of the fit, relative
}

func (f *benchFlags) printNetwork(cmd *cobra.Command, samples []tune.Sample, processor float64) error {
	line := tune.FitLine(samples)
	r := networkReport{Library: mpi.Library(), Samples: samples,
		Network: summa.Network{Latency: line.Sigma, Bandwidth: line.Bandwidth, Processor: processor}, Misses: line.Misses(samples, 0)}
	out := cmd.OutOrStdout()
	if f.asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, "%s, from the first rank to the last\n", r.Library)
	for _, s := range samples {
		fmt.Fprintf(out, "%12d B  %10.2f µs  %8.3f GB/s\n", s.Bytes, 1e6*s.Seconds, float64(s.Bytes)/s.Seconds/1e9)
	}
	fmt.Fprintf(out, "latency %.2f µs, bandwidth %.3f GB/s, median error %.1f %%; %.3f GB received and sent in a second of a processor: --network %v\n",
		1e6*r.Latency, r.Bandwidth/1e9, 100*r.Misses, r.Processor/1e9, r.Network)
	return nil
}
