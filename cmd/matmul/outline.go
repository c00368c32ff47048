package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/matfile"
	"matmul/internal/sys"
	"matmul/internal/verify"
	"matmul/shmmat"
	"matmul/tiling"
	"matmul/tune"
)

// outline is what run --dry-run prints: what a job would take.
type outline struct {
	A       string `json:"a"`
	B       string `json:"b"`
	Out     string `json:"out"`
	M       int64  `json:"m"`
	N       int64  `json:"n"`
	K       int64  `json:"k"`
	DType   string `json:"dtype"`
	Workers int    `json:"workers"`
	Kernel  string `json:"kernel"`
	TileM   int64  `json:"tile_m"`
	TileN   int64  `json:"tile_n"`
	Tasks   int    `json:"tasks"`
	Profile string `json:"profile"`

	Segment string           `json:"segment"`
	Regions map[string]int64 `json:"region_bytes"`
	// Worker is what each worker takes beside the segment, Check what
	// verification takes after the workers have ended, Memory the most that is
	// taken at a time.
	Worker int64  `json:"worker_bytes"`
	Check  int64  `json:"verify_bytes"`
	Memory int64  `json:"memory_bytes"`
	Sum    string `json:"memory_sum"`
	Limit  string `json:"memory_limit"`
	Left   int64  `json:"memory_left_bytes"`

	// Bands are nil unless the product is done in bands.
	Bands *bandReport `json:"bands,omitempty"`
	// PassesA and PassesB are how often an input is read, on average over its
	// elements.
	PassesA float64 `json:"passes_a"`
	PassesB float64 `json:"passes_b"`
	// Volume is the number of elements that are read and written, Bound the least
	// that any order of computing reads and writes with room for Room elements.
	Volume float64 `json:"volume_elements"`
	Bound  float64 `json:"bound_elements"`
	Room   int64   `json:"memory_elements"`

	Read      int64  `json:"read_bytes"`        // of the inputs
	CheckRead int64  `json:"verify_read_bytes"` // at least
	Copied    int64  `json:"copied_bytes"`      // of inputs that cannot be read in place; they are in the output's directory
	Write     int64  `json:"write_bytes"`       // at most
	Dir       string `json:"output_directory"`
	Free      int64  `json:"output_free_bytes"` // -1 if unknown, math.MaxInt64 if unbounded

	// What is expected, by short measurements made now.
	Expect expectation `json:"expected"`
}

// expectation is how long parts of a job should take, and the speeds that this
// was concluded from.
type expectation struct {
	Multiply float64 `json:"multiply_seconds"`
	GFLOPS   float64 `json:"gflops"`                // of all workers together
	Read     float64 `json:"read_seconds"`          // of one reader
	ReadRate float64 `json:"read_bytes_per_second"` // 0 if nothing is read
}

// needs returns what the product takes. Verification runs when the workers
// have ended.
func (p *product) needs() (*needs, error) {
	dir := outputDir(p.to)
	n := newNeeds(&p.crew, p.plan, dir)
	if p.banded != nil {
		largest, err := p.banded.Largest()
		if err != nil {
			return nil, err
		}
		n.each = perProcess + largest.Scratch()
		if n.layout, err = bandLayout(p.banded.Bands); err != nil {
			return nil, err
		}
	}
	size, err := matfile.Size(p.plan.M, p.plan.N, p.plan.Type)
	if err != nil {
		return nil, err
	}
	n.output, n.outDir = size, dir
	n.there = min(size, sys.Allocated(p.out+matfile.PartSuffix))
	n.copied = p.in.copied()
	if !p.to.IsPlain() && !p.to.Stream {
		n.encoded, n.format = p.to.Size(p.plan.M, p.plan.N, p.plan.Type), p.to.Format.String()
	}
	if p.method != "" {
		if n.check, err = checkMemory(p.method, p.problem(p.in, p.outcome()), verify.Options{Workers: p.checkers}); err != nil {
			return nil, err
		}
	}
	if !p.to.IsPlain() {
		n.check = max(n.check, p.to.WriteMemory(p.plan.M, p.plan.N))
	}
	return n, nil
}

// outcome returns C as a file that is not there yet.
func (p *product) outcome() *matfile.File {
	return &matfile.File{Info: matfile.Info{Path: p.out, Rows: p.plan.M, Cols: p.plan.N, Dims: 2, Elem: p.plan.Type}}
}

// outline prints what the product would take, after all checks that run makes
// before it begins. What an earlier run has saved is not looked at.
func (p *product) outline() error {
	if err := p.makePlan(); err != nil {
		return err
	}
	n, err := p.needs()
	if err != nil {
		return err
	}
	o := outline{
		A: p.in.a.Path, B: p.in.b.Path, Out: p.out,
		M: p.plan.M, N: p.plan.N, K: p.in.k(p.transA), DType: p.plan.Type.String(),
		Workers: p.crew.workers, Kernel: p.plan.Kernel.String(), TileM: p.plan.TileM, TileN: p.plan.TileN,
		Tasks: p.plan.Tasks(), Profile: p.tuned.path,
		Segment: p.crew.kind.String(), Regions: map[string]int64{}, Worker: n.each, Check: n.check,
		Write: n.output + n.encoded, Copied: n.copied, Dir: n.outDir, Free: -1,
	}
	for r, e := range n.layout.At {
		if e.Len > 0 {
			o.Regions[shmmat.Region(r).String()] = e.Len
		}
	}
	o.Memory, o.Sum = n.memory()
	budget := p.crew.limits.Memory()
	o.Limit, o.Left = budget.Limiter.String(), budget.Bytes
	if fs, err := sys.FileSystemOf(n.outDir); err == nil {
		o.Free = fs.Free
	}
	read := p.read()
	p.traffic(&o)
	if p.method != "" {
		for _, f := range read {
			o.CheckRead += f.DataSize()
		}
		o.CheckRead += n.output
	}
	if o.Expect, err = p.expect(read, o.Read); err != nil {
		return err
	}
	return o.print(p.cmd.OutOrStdout(), p.asJSON)
}

// traffic fills in what is read and written to compute C.
func (p *product) traffic(o *outline) {
	b := p.bandParams()
	whole := tiling.Bands{BandParams: b, Height: b.M, Width: b.N, Depth: b.K, SlotsA: 1, SlotsB: 1}
	t, bytes := whole.Traffic(nil), p.plan.Layout.Bytes()
	if p.banded != nil {
		o.Bands = p.bandReport()
		o.TileM, o.TileN, bytes = o.Bands.TileM, o.Bands.TileN, o.Bands.Bytes
		t = p.banded.Traffic()
	}
	o.Read = t.A + t.B + t.C0
	o.PassesA, o.PassesB = float64(t.A)/max(1, float64(b.M*b.K*b.ReadA)), float64(t.B)/max(1, float64(b.K*b.N*b.ReadB))
	o.Volume, o.Room = float64(t.Elements), max(1, bytes/b.Size)
	o.Bound = p.plan.Flops() / math.Sqrt(float64(o.Room))
}

// read returns the inputs that are read.
func (p *product) read() (fs []*matfile.File) {
	if p.plan.K > 0 {
		fs = append(fs, p.in.a, p.in.b)
	}
	if p.in.c0 != nil && p.plan.Beta != 0 {
		fs = append(fs, p.in.c0)
	}
	return fs
}

// expect measures the kernel and the reading for some milliseconds each.
func (p *product) expect(read []*matfile.File, bytes int64) (e expectation, err error) {
	e.GFLOPS = p.rate(p.plan.Kernel, p.plan.Blocking) / 1e9
	e.Multiply = p.plan.Flops() / e.GFLOPS / 1e9
	if bytes == 0 {
		return e, nil
	}
	first, buf := read[0], make([]byte, readChunk) // stays in the cache, as a worker's does
	clear(buf)
	size := min(sampleBytes, first.DataSize())
	start := time.Now()
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.NewSectionReader(first, first.Offset, size), buf); err != nil {
		return e, fmt.Errorf("read %s: %w", first.Path, err)
	}
	e.ReadRate = float64(size) / max(1e-9, time.Since(start).Seconds())
	e.Read = float64(bytes) / e.ReadRate
	return e, nil
}

// readChunk is how much is read at once.
const readChunk = 256 << 10

// sampleBytes is how much of an input is read to learn how fast that is.
const sampleBytes = 8 << 20

// rateTime is how long the speed of a processor is measured: some periods of a limit
// of processor time, which are of 100 ms as a rule.
const rateTime = 300 * time.Millisecond

// kernelRate measures the speed of one processor in GFLOP/s on packed operands: of
// products of some megabytes, unless they would take too long, since those that caches
// hold are faster than what a job does.
func kernelRate[T elem.Float](k *gemm.Kernel, b gemm.Blocking) float64 {
	rate := productRate[T](k, b, 16*k.MR, 8*k.NR, 256, 0)
	m, n, depth := 64*k.MR, 40*k.NR, 1024
	if 2*float64(m*n*depth)/rate > float64(rateTime)/4 {
		return rate
	}
	return productRate[T](k, b, m, n, depth, rateTime)
}

// productRate returns the mean speed in GFLOP/s of products of one size for so long,
// one at least, after one that is not timed.
func productRate[T elem.Float](k *gemm.Kernel, b gemm.Blocking, m, n, depth int, d time.Duration) float64 {
	operand := func(width, lanes int) gemm.Operand[T] {
		return gemm.Operand[T]{Packed: gemm.Panels[T]{Data: make([]T, lanes*depth), Width: width, Lanes: lanes, Depth: depth}}
	}
	t := gemm.Tile[T]{A: operand(k.MR, m), B: operand(k.NR, n), I1: m, J1: n, C: make([]T, m*n), LDC: n}
	var ws gemm.Workspace[T]
	gemm.Multiply(k, b, &ws, t)
	flops, took := 0.0, time.Duration(0)
	for start := time.Now(); took == 0 || took < d; took = time.Since(start) {
		gemm.Multiply(k, b, &ws, t)
		flops += 2 * float64(m*n*depth)
	}
	return flops / float64(took)
}

func (o *outline) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(o)
	}
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("%s: %d×%d %s = %d×%d times %d×%d; nothing is computed or written", oneLine(o.Out), o.M, o.N, o.DType, o.M, o.K, o.K, o.N)
	line("  workers   %d, kernel %s, tile %d×%d, %d tasks", o.Workers, o.Kernel, o.TileM, o.TileN, o.Tasks)
	if o.Profile != "" {
		line("  profile   %s", oneLine(o.Profile))
	}
	if o.Bands != nil {
		line("  bands     %s", o.Bands.text())
	}
	line("  memory    %s with a %s segment: %s", tune.FormatBytes(o.Memory), o.Segment, o.Sum)
	line("  limit     %s", o.Limit)
	line("  read      %s: A %.3g times, B %.3g times", tune.FormatBytes(o.Read), o.PassesA, o.PassesB)
	if o.Copied > 0 {
		line("  copies    %s of inputs that cannot be read in place, in %s", tune.FormatBytes(o.Copied), oneLine(o.Dir))
	}
	line("  volume    %.4g elements read and written, %.2f times 2mnk/√S for the S = %.4g elements that fit into the segment",
		o.Volume, o.Volume/max(1, o.Bound), float64(o.Room))
	if o.CheckRead > 0 {
		line("  verify    reads at least %s, in %s after the workers have ended", tune.FormatBytes(o.CheckRead), tune.FormatBytes(o.Check))
	}
	line("  write     %s to %s, %s", tune.FormatBytes(o.Write), oneLine(o.Dir), freeText(o.Free))
	line("  multiply  %s  expected at %.1f GFLOP/s, measured now on one processor", duration(o.Expect.Multiply), o.Expect.GFLOPS)
	if o.Expect.ReadRate > 0 {
		line("  read      %s  expected at %s/s, measured now on %s", duration(o.Expect.Read), tune.FormatBytes(int64(o.Expect.ReadRate)), oneLine(o.A))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func freeText(bytes int64) string {
	switch bytes {
	case -1:
		return "whose free space is unknown"
	case sys.Unlimited:
		return "whose space has no bound"
	}
	return "which has " + tune.FormatBytes(bytes) + " free"
}
