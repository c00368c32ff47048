package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/matfile"
	"matmul/internal/summa"
	"matmul/internal/sys"
	"matmul/tiling"
	"matmul/tune"
)

// rankFlags are the flags that say what machines a product is done on together.
type rankFlags struct {
	ranks   int
	network string
	scatter bool
}

func (f *rankFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.IntVar(&f.ranks, "ranks", 0, "with --dry-run: machines like this one that would do the product together, under MPI")
	fl.StringVar(&f.network, "network", "", "`LATENCY,BANDWIDTH` between ranks, as bench under MPI prints it (default: "+summa.Usual.String()+", and under MPI on one machine "+summa.Local.String()+")")
	fl.BoolVar(&f.scatter, "scatter", false, "under MPI, rank 0 alone reads and writes files: it sends the others what they need, and is sent C")
}

// check checks the flags. How many ranks do a product is for MPI to say.
func (f *rankFlags) check(cmd *cobra.Command, dryRun bool) error {
	switch {
	case cmd.Flags().Changed("ranks") && (f.ranks < 1 || f.ranks > maxRanks):
		return usagef("--ranks %d: want 1 to %d", f.ranks, maxRanks)
	case f.scatter && dryRun && f.ranks == 0:
		return usagef("--scatter needs --ranks, too, with --dry-run")
	case f.ranks > 0 && !dryRun:
		return usagef("--ranks needs --dry-run; ranks that compute are started by mpiexec")
	}
	_, err := f.net()
	return err
}

// What rank 0 sends and receives with --scatter goes through so many pieces of
// memory of so many bytes.
const (
	chunks    = 2
	chunkSize = 4 << 20
)

// maxRanks is the most ranks that --ranks takes.
const maxRanks = 1 << 20

// net returns the network that --network describes.
func (f *rankFlags) net() (summa.Network, error) {
	if f.network == "" {
		return summa.Usual, nil
	}
	n, err := summa.ParseNetwork(f.network)
	if err != nil {
		return n, flagError("network", err)
	}
	return n, nil
}

// rankOutline is what run --dry-run --ranks prints: how ranks would do a product,
// and what it would cost.
type rankOutline struct {
	M       int64         `json:"m"`
	N       int64         `json:"n"`
	K       int64         `json:"k"`
	DType   string        `json:"dtype"`
	Ranks   int           `json:"ranks"`
	P       int           `json:"grid_rows"`
	Q       int           `json:"grid_cols"`
	Panel   int64         `json:"panel"`
	Bands   int64         `json:"bands"`
	Network summa.Network `json:"network"`
	GFLOPS  float64       `json:"gflops_per_rank"` // measured now, here
	Reading float64       `json:"read_bytes_per_processor_second"`
	Packing float64       `json:"packed_bytes_per_second"` // by a worker

	Memory float64 `json:"memory_bytes_per_rank"` // panels and block of C
	Read   float64 `json:"read_bytes_per_rank"`   // of A, B and C0
	// Bytes is what a rank receives, Bound what one must receive that holds no
	// more than Memory.
	Bytes float64 `json:"received_bytes_per_rank"`
	Bound float64 `json:"bound_bytes_per_rank"`
	// Sent is what rank 0 sends of A, B and C0 to the ranks that have it first, and
	// Returned what it is sent of C, with --scatter.
	Sent       float64 `json:"sent_bytes_by_rank_0"`
	Returned   float64 `json:"returned_bytes_to_rank_0"`
	Compute    float64 `json:"compute_seconds"`
	Slowed     float64 `json:"slowed_seconds"` // by which transfers make computing longer
	Transfer   float64 `json:"transfer_seconds"`
	Exposed    float64 `json:"exposed_seconds"` // of Transfer, not hidden by Compute
	Time       float64 `json:"seconds"`
	Efficiency float64 `json:"efficiency"`
}

// outlineRanks prints how so many ranks like this machine would do the product.
func (p *product) outlineRanks() error {
	net, err := p.rankFlags.net()
	if err != nil {
		return err
	}
	problem := tiling.Problem{M: p.spec.A.Rows, N: p.spec.B.Cols, K: p.spec.A.Cols}
	if p.spec.Alpha == 0 {
		problem.K = 0
	}
	if err := problem.Check(); err != nil {
		return err
	}
	rate := p.rate(p.tuned.kernel, p.tuned.choice.Blocking())
	left := p.ceiling().bytes - int64(p.crew.workers)*(perProcess+mostScratch)
	if p.scatter {
		left -= chunks * chunkSize
	}
	on := summa.Machines{Ranks: p.ranks, Rate: rate, Workers: p.crew.workers, Network: net, Scatter: p.scatter}
	if on.Reading, err = readRate(p.in.a); err != nil {
		return err
	}
	if on.Packing = packRate[float64](p.tuned.kernel); p.spec.Type == elem.Float32 {
		on.Packing = packRate[float32](p.tuned.kernel)
	}
	plan, err := summa.Fit(problem, p.spec.Type.Size(), on, float64(left), p.interval().Seconds())
	if err != nil {
		return resourceError{fmt.Errorf("not enough memory: %w, and here a rank may take %s; use more ranks", err, tune.FormatBytes(max(left, 0)))}
	}
	o := rankOutline{
		M: plan.M, N: plan.N, K: p.spec.A.Cols, DType: p.spec.Type.String(), Ranks: p.ranks,
		P: plan.P, Q: plan.Q, Panel: plan.Width, Bands: plan.Bands, Network: net, GFLOPS: rate / 1e9,
		Reading: on.Reading, Packing: on.Packing,
		Memory: plan.Memory, Bytes: plan.Bytes, Bound: plan.Bound, Sent: plan.Sent, Returned: plan.Returned,
		Compute: plan.Compute, Slowed: plan.Slowed, Transfer: plan.Transfer, Exposed: plan.Exposed, Time: plan.Time, Efficiency: plan.Efficiency(rate),
	}
	if problem.K > 0 {
		o.Read = (float64(p.in.a.DataSize()) + float64(plan.Bands)*float64(p.in.b.DataSize())) / float64(p.ranks)
	}
	if p.in.c0 != nil && p.spec.Beta != 0 {
		o.Read += float64(p.in.c0.DataSize()) / float64(p.ranks)
		if p.scatter {
			o.Sent += plan.Returned // as much as of C
		}
	}
	return o.print(p.cmd.OutOrStdout(), p.asJSON, p.scatter)
}

func (o *rankOutline) print(out io.Writer, asJSON, scatter bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(o)
	}
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	size := func(bytes float64) string { return tune.FormatBytes(int64(bytes)) }
	line("%d×%d %s = %d×%d times %d×%d on %d rank(s); nothing is computed or written", o.M, o.N, o.DType, o.M, o.K, o.K, o.N, o.Ranks)
	line("  grid       %v, panels of %d columns of A and rows of B, %d band(s) of C", summa.Grid{P: o.P, Q: o.Q}, o.Panel, o.Bands)
	line("  network    %s", o.Network)
	line("  memory     %s per rank, panels and block of C", size(o.Memory))
	if scatter {
		line("  files      rank 0 reads %s, sends %s of it and is sent %s of C", size(o.Read*float64(o.Ranks)), size(o.Sent), size(o.Returned))
	} else {
		line("  read       %s per rank", size(o.Read))
	}
	line("  receive    %s per rank; the lower bound for that memory is %s", size(o.Bytes), size(o.Bound))
	line("  compute    %s  at %.1f GFLOP/s per rank, measured now on one processor", duration(o.Compute), o.GFLOPS)
	if o.Slowed > 0 {
		line("  and        %s  that workers' processors read and move panels in", duration(o.Slowed))
	}
	line("  transfer   %s  of which computing hides all but %s", duration(o.Transfer), strings.TrimSpace(duration(o.Exposed)))
	line("  time       %s  without files, efficiency %.1f %%", duration(o.Time), 100*o.Efficiency)
	_, err := io.WriteString(out, text.String())
	return err
}

// rate measures the speed of this machine's workers in flop/s, for some tenths of a
// second on one processor.
func (p *product) rate(k *gemm.Kernel, b gemm.Blocking) float64 {
	measure := kernelRate[float64]
	if p.spec.Type == elem.Float32 {
		measure = kernelRate[float32]
	}
	return 1e9 * measure(k, b) * float64(min(p.crew.workers, p.crew.limits.Workers(p.crew.machine).N))
}

// readRate measures how many bytes of a file a processor reads in a second of its own
// time, when the file is in memory; 0 if there are none.
func readRate(f *matfile.File) (float64, error) {
	const times = 8 // after one that is not counted
	size, buf := min(sampleBytes, f.DataSize()), make([]byte, readChunk)
	if size == 0 {
		return 0, nil
	}
	var begin time.Duration
	for i := range times + 1 {
		if i == 1 {
			begin, _ = sys.ProcessorTime(0)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.NewSectionReader(f, f.Offset, size), buf); err != nil {
			return 0, inputf(f.Path, "%v", reason(err))
		}
	}
	end, err := sys.ProcessorTime(0)
	return times * float64(size) / max(end-begin, 1).Seconds(), err
}

// packRate measures how many bytes a processor packs in a second, half of them as it
// packs A and half as it packs B, both row-major.
func packRate[T elem.Float](k *gemm.Kernel) float64 {
	lanes, depth := 40*k.MR*k.NR, 256
	src := make([]T, lanes*depth)
	a := gemm.Panels[T]{Data: make([]T, lanes*depth), Width: k.MR, Lanes: lanes, Depth: depth}
	b := gemm.Panels[T]{Data: make([]T, lanes*depth), Width: k.NR, Lanes: lanes, Depth: depth}
	pack := func() {
		gemm.Pack(k, a, 0, lanes, 0, depth, gemm.Source[T]{Data: src, LaneStride: depth, DepthStride: 1}, 1)
		gemm.Pack(k, b, 0, lanes, 0, depth, gemm.Source[T]{Data: src, LaneStride: 1, DepthStride: lanes}, 1)
	}
	pack()
	bytes, took := 0, time.Duration(0)
	for start := time.Now(); took < rateTime/3; took = time.Since(start) {
		pack()
		bytes += 2 * len(src) * k.Type.Size()
	}
	return float64(bytes) / took.Seconds()
}
