package main

import (
	"context"
	"fmt"

	"matmul/internal/verify"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
	"matmul/tune"
)

// parseMemory reads --memory: 0 is none.
func parseMemory(text string) (limit int64, err error) {
	if text == "" || text == "auto" {
		return 0, nil
	}
	if limit, err = tune.ParseSize(text); err == nil && limit < 1 {
		err = fmt.Errorf("%q is no number of bytes", text)
	}
	if err != nil {
		return 0, flagError("memory", err)
	}
	return limit, nil
}

// reservePart is the part of what is left of memory that is not counted on: other
// programs take some, and the kernel.
const reservePart = 16

// A ceiling is the memory that the processes of a run may take, and why.
type ceiling struct {
	bytes int64
	why   string
}

// ceiling returns what may be taken: what --memory says, or what the machine and
// the control group leave, less a reserve.
func (p *product) ceiling() ceiling {
	if p.limit > 0 {
		return ceiling{p.limit, "--memory " + tune.FormatBytes(p.limit)}
	}
	least := ceiling{bytes: 1 << 62, why: "no limit is known"}
	for _, l := range p.crew.limits.MemoryLimits {
		if free := l.Free(); !l.PerProcess() && free-free/reservePart < least.bytes {
			least = ceiling{free - free/reservePart, l.String()}
		}
	}
	return least
}

// makeBands has the product done in bands if it does not fit into memory
// otherwise.
func (p *product) makeBands() error {
	p.banded, p.checkers = nil, 0
	if p.memory == "" {
		return nil
	}
	n, err := p.needs()
	if err != nil {
		return err
	}
	top := p.ceiling()
	if p.fits(n, top) {
		return nil
	}
	if err := p.fitCheck(top); err != nil {
		return err
	}
	if n.check = 0; p.fits(n, top) { // it was too much with all goroutines
		return nil
	}
	if p.limit == 0 {
		top.bytes -= n.inMemory() // the output, where its file system is
	}
	return p.fitBands(top)
}

// fits reports whether what is needed is to be had. Without --memory all that
// the machine leaves may be taken.
func (p *product) fits(n *needs, top ceiling) bool {
	if p.limit == 0 {
		return n.affordMemory(p.crew.limits.MemoryLimits) == nil
	}
	total, _ := n.memory()
	return total-n.inMemory()+perMaster <= top.bytes
}

// leastScratch and mostScratch bound the private memory of a worker's tiles.
// Below a huge page scratch is not aligned to one.
const (
	leastScratch = 1 << 20
	mostScratch  = 16 << 20
)

// fitBands chooses the workers and the bands that a ceiling leaves room for.
func (p *product) fitBands(top ceiling) error {
	r := p.bandRoom(top.bytes)
	bands, err := tiling.NewBands(r.params)
	if err != nil {
		least := r.params.Least()
		processes := top.bytes - r.params.Memory - (r.workers-1)*r.each // with one worker
		return p.tooLittle("%s at least (processes %s, the smallest bands %s), and %s",
			tune.FormatBytes(processes+least), tune.FormatBytes(processes), tune.FormatBytes(least), top.why)
	}
	p.crew.workers = int(r.workers)
	s := p.bandSpec()
	s.MaxScratch = r.each - perProcess
	p.banded, err = master.NewBanded(s, bands, p.crew.workers)
	return err
}

// A bandRoom is how so much memory is divided: among workers, and what is left
// for bands.
type bandRoom struct {
	workers int64
	each    int64 // bytes of a worker
	params  tiling.BandParams
}

// bandRoom divides memory.
func (p *product) bandRoom(bytes int64) (r bandRoom) {
	scratch := min(max(bytes/16/int64(p.crew.workers), leastScratch), mostScratch)
	if p.spec.TileM > 0 {
		scratch = p.plan.Scratch() // of the tile that was given
	}
	r.each = perProcess + scratch
	r.workers = min(int64(p.crew.workers), max(1, (bytes/4*3-perMaster)/r.each))
	r.params = p.bandParams()
	r.params.Memory = bytes - perMaster - r.workers*r.each - (&needs{workers: r.workers}).control().Bytes()
	return r
}

// tooLittle returns an error for want of memory that says what the job needs, and
// which limit would do.
func (p *product) tooLittle(need string, args ...any) error {
	err := fmt.Errorf("not enough memory: the job needs "+need, args...)
	if limit := p.enough(); limit > 0 {
		err = advise(err, "%s would do", tune.FormatBytes(limit))
	}
	return resourceError{err}
}

// enough returns a limit with which there are bands, and memory for verification,
// close to the least: whole MiB. It is 0 if there is none.
func (p *product) enough() int64 {
	check := int64(0)
	if p.method != "" {
		bytes, err := checkMemory(p.method, p.problem(p.in, p.outcome()), verify.Options{Workers: 1})
		if err != nil {
			return 0
		}
		check = bytes + perMaster
	}
	const unit, most = 1 << 20, 1 << 50
	for limit := max(p.bandRoom(0).params.Least(), check)/unit*unit + unit; limit < most; limit += max(limit/16/unit, 1) * unit {
		if _, err := tiling.NewBands(p.bandRoom(limit).params); err == nil {
			return limit
		}
	}
	return 0
}

// bandParams returns what bands are chosen from, but for the memory.
func (p *product) bandParams() tiling.BandParams {
	s := p.bandSpec()
	mr, nr := s.Units()
	b := tiling.BandParams{Problem: p.plan.Problem, MR: mr, NR: nr, Checksums: s.ABFT, Size: int64(s.Type.Size()),
		ReadA: int64(s.A.Type.Size()), ReadB: int64(s.B.Type.Size())}
	if s.Beta != 0 {
		b.ReadC0 = int64(s.C0.Type.Size())
	}
	return b
}

// bandSpec returns the product with the kernel and the blocks that were chosen
// for it. The tile of the whole product is not one for bands.
func (p *product) bandSpec() master.Spec {
	s := p.spec
	s.Kernel, s.Blocking = p.plan.Kernel, p.plan.Blocking
	return s
}

// fitCheck has verification use no more goroutines than a ceiling leaves room
// for.
func (p *product) fitCheck(top ceiling) error {
	if p.method == "" {
		return nil
	}
	for p.checkers = p.crew.workers; ; p.checkers-- {
		bytes, err := checkMemory(p.method, p.problem(p.in, p.outcome()), verify.Options{Workers: p.checkers})
		if err != nil || bytes+perMaster <= top.bytes {
			return err
		}
		if p.checkers == 1 {
			return p.tooLittle("%s for verification, and %s; use --verify none, or 'matmul verify' where there is more",
				tune.FormatBytes(bytes+perMaster), top.why)
		}
	}
}

// bandLayout returns the bands as if they lay in one segment.
func bandLayout(b *tiling.Bands) (shmmat.Layout, error) {
	return shmmat.NewLayout(shmmat.Lengths{shmmat.PanelsA: b.SlotsA * b.PanelsA(), shmmat.PanelsB: b.SlotsB * b.PanelsB(),
		shmmat.SumsA: b.SlotsA * b.ChecksumsA(), shmmat.SumsB: b.SlotsB * b.ChecksumsB(), shmmat.C: b.SlotsC() * b.Sums()})
}

// keptRows returns how many rows of C are kept, or as much as rows in parts.
func (p *product) keptRows() int64 {
	if p.banded == nil {
		return p.plan.KeptRows()
	}
	elements := int64(0)
	for _, r := range p.spec.Kept {
		elements += r.Rows() * r.Cols()
	}
	return min(elements/max(p.plan.N, 1), p.plan.M)
}

// multiplyBands is multiply in bands.
func (p *product) multiplyBands(ctx context.Context, pool *master.Pool, out master.Output) (master.Report, error) {
	p.banded.Out = out
	bar := p.show.start(p.prefix+"multiply", func(m *meter) {
		done, steps := p.banded.Progress()
		m.count(done, steps, "steps")
		m.computed(float64(done) / float64(max(steps, 1)) * p.plan.Flops())
	})
	defer bar.end()
	return pool.RunBanded(ctx, p.banded)
}

// bandReport is what the report of a product in bands adds.
type bandReport struct {
	Height int64 `json:"height"` // of a super-tile
	Width  int64 `json:"width"`
	Depth  int64 `json:"depth"` // of a chunk of k
	Steps  int64 `json:"steps"`
	TileM  int64 `json:"-"`
	TileN  int64 `json:"-"`
	Bytes  int64 `json:"-"` // of bands in memory
}

func (p *product) bandReport() *bandReport {
	if p.banded == nil {
		return nil
	}
	b := p.banded.Bands
	r := &bandReport{Height: b.Height, Width: b.Width, Depth: b.Depth, Steps: b.Count(), Bytes: b.Bytes()}
	if largest, err := p.banded.Largest(); err == nil {
		r.TileM, r.TileN = largest.TileM, largest.TileN
	}
	return r
}

func (b *bandReport) text() string {
	return fmt.Sprintf("%d step(s) of %d×%d elements of C over %d of k", b.Steps, b.Height, b.Width, b.Depth)
}
