//go:build mpi

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"matmul/internal/gemm"
	"matmul/internal/mpi"
	"matmul/internal/summa"
	"matmul/tiling"
	"matmul/tune"
)

// A part is one rank's part of a product: the algorithm SUMMA (package summa).
type part struct {
	*team
	*hired
	plan     *summa.Plan
	row, col *mpi.Comm // the ranks of this row, and of this column, of the grid
	k        int64     // of the product; 0 if α is
	direct   bool      // ranks of one machine: workers read panels from the files, which all have in the page cache

	// Panels of two steps, one of which is multiplied while the other is on its
	// way; the former as workers want them; and the block of C before and after a
	// step, by turns.
	a, b             [2]buffer
	panelsA, panelsB buffer
	c                [2]buffer

	chunks chan []byte // with --scatter, memory of rank 0 for what others send or are sent
	file   *mpi.File   // that C is written to; nil with --scatter

	band        struct{ r0, r1 int64 } // rows of C that are being done
	failed      error                  // what went wrong here and is not agreed on yet
	checkpoints bool                   // rank 0 makes some
	looks       time.Duration          // between looks for messages while workers compute

	tiles      [2]int64 // of the last step
	tasks      int
	deaths     int
	multiplied time.Duration
	stored     time.Duration
}

// A buffer is memory that the workers see and messages go to.
type buffer struct {
	number uint32
	mem    []byte
}

// compute computes C into the part file, in bands of rows. Collective.
func (t *team) compute(ctx context.Context, h *hired) error {
	p := &part{team: t, hired: h, k: h.spec.A.Cols}
	if h.spec.Alpha == 0 {
		p.k = 0
	}
	missing, err := t.missing(ctx, h.product)
	if err != nil {
		return err
	}
	if err := p.prepare(ctx, missing); err != nil {
		return err
	}
	if err := p.openFile(ctx); err != nil {
		return err
	}
	start := time.Now()
	for _, r := range missing {
		for at := r.R0; at < r.R1 && err == nil; at += p.height() {
			p.band.r0, p.band.r1 = at, min(at+p.height(), r.R1)
			err = p.doBand(ctx)
		}
	}
	if t.lost {
		return err
	}
	closing := time.Now()
	closed := p.closeFile()
	p.stored += time.Since(closing)
	if err == nil {
		err = t.agree(ctx, cmp.Or(closed, p.in.changed()))
	}
	if err == nil {
		p.report(time.Since(start), missing)
	}
	return err
}

// missing tells every rank which rows rank 0 has to have computed. Collective.
func (t *team) missing(ctx context.Context, p *product) (rows []tiling.Rect, err error) {
	var text []byte
	if t.world.Rank == 0 {
		if text, err = json.Marshal(tiling.Missing(p.spec.Kept, p.spec.A.Rows, p.spec.B.Cols)); err != nil {
			panic(err) // it holds numbers
		}
	}
	if text, err = t.share(ctx, text); err != nil {
		return nil, err
	}
	return rows, json.Unmarshal(text, &rows)
}

// prepare plans and takes the memory for it. All ranks come to the same plan.
// Collective.
func (p *part) prepare(ctx context.Context, missing []tiling.Rect) error {
	net, err := p.rankFlags.net()
	if p.local && p.network == "" {
		net = summa.Local
	}
	if err := p.agree(ctx, err); err != nil {
		return err
	}
	p.looks = busyPause(net)
	rate, err := p.least(ctx, int64(p.rate))
	if err != nil {
		return err
	}
	each := int64(p.crew.workers) * (perProcess + mostScratch)
	if p.scatter {
		each += chunks * chunkSize
	}
	workers, err := p.least(ctx, int64(p.crew.workers))
	if err != nil {
		return err
	}
	left, err := p.least(ctx, p.ceiling().bytes-each)
	if err != nil {
		return err
	}
	every := int64(0)
	if p.saver != nil {
		every = int64(p.saver.every)
	}
	if every, err = p.most(ctx, every); err != nil {
		return err
	}
	p.checkpoints = every > 0
	rows := int64(0)
	for _, r := range missing {
		rows = max(rows, r.Rows())
	}
	problem := tiling.Problem{M: rows, N: p.spec.B.Cols, K: p.k}
	p.direct = p.local && p.network == "" && !p.scatter
	on := summa.Machines{Ranks: p.world.Size, Rate: float64(rate), Workers: int(workers), Network: net, Scatter: p.scatter, Direct: p.direct}
	p.plan, err = summa.Fit(problem, p.spec.Type.Size(), on, float64(left), time.Duration(every).Seconds())
	if err != nil {
		return resourceError{fmt.Errorf("not enough memory: %w, and one rank may take %s; use more ranks", err, tune.FormatBytes(max(left, 0)))}
	}
	p.underway = time.Duration(2 * p.plan.Transfer / float64(p.plan.Bands*p.plan.Steps()) * float64(time.Second))
	row, col := p.plan.Place(p.world.Rank)
	if p.row, err = p.world.Split(row); p.reached(err) != nil {
		return err
	}
	if p.col, err = p.world.Split(col); p.reached(err) != nil {
		return err
	}
	return p.agree(ctx, p.allocate(ctx))
}

// height returns the rows of a band.
func (p *part) height() int64 { return max(1, p.plan.Height()) }

// allocate sets the buffers aside, for the largest block: two of a kind, unless one
// step does it all.
func (p *part) allocate(ctx context.Context) error {
	r := p.plan.Block(0, 0, p.plan.Height(), p.spec.B.Cols) // the first is the largest
	m, n, w, k := int(r.Rows()), int(r.Cols()), int(p.plan.Width), p.tuned.kernel
	panelsA, panelsB := gemm.PanelLen(m, w, k.MR), gemm.PanelLen(n, w, k.NR)
	if p.abft {
		digests, _ := gemm.CheckBytes(m, w, k.MR, k.Type)
		panelsA += int(digests) / k.Type.Size()
		panelsB += gemm.SumsLen(n, w, k.NR)
	}
	steps := min(p.plan.Steps(), 2)
	blocks := steps
	if p.spec.Beta != 0 {
		blocks = 2
	}
	err := cmp.Or(p.keep(ctx, panelsA, &p.panelsA), p.keep(ctx, panelsB, &p.panelsB))
	for i := range p.c {
		if int64(i) < steps && !p.direct {
			err = cmp.Or(err, p.keep(ctx, m*w, &p.a[i]), p.keep(ctx, n*w, &p.b[i]))
		}
		if int64(i) < blocks {
			err = cmp.Or(err, p.keep(ctx, m*n, &p.c[i]))
		}
	}
	if p.scatter && p.world.Rank == 0 {
		p.chunks = make(chan []byte, chunks)
		for range chunks {
			p.chunks <- mpi.Alloc(chunkSize)
		}
	}
	return err
}

// keep makes a buffer of so many elements.
func (p *part) keep(ctx context.Context, elements int, to *buffer) (err error) {
	to.number, to.mem, err = p.pool.Keep(ctx, max(8, int64(elements)*int64(p.spec.Type.Size())))
	return err
}

// block returns what a rank owns of the band that is being done.
func (p *part) block(rank int) tiling.Rect {
	return p.plan.Block(rank, p.band.r0, p.band.r1, p.spec.B.Cols)
}

// doBand computes a band of C and writes it. Collective.
func (p *part) doBand(ctx context.Context) error {
	steps := int(p.plan.Steps())
	coming := p.begin(ctx, 0)
	if err := p.arrive(ctx, coming, nil); err != nil {
		return err
	}
	for t := range steps {
		var product *errand
		if p.failed == nil { // else the others are told so before the next step
			product = send(func() error { return p.multiply(ctx, t) })
		}
		coming = nil
		if t+1 < steps {
			coming = p.begin(ctx, t+1)
		}
		if err := p.arrive(ctx, coming, product); err != nil {
			return err
		}
	}
	if err := p.agree(ctx, p.failed); err != nil {
		return err
	}
	return p.store(ctx, p.c[(steps-1)%2].mem)
}

// report says what the product took, as rank 0 saw it.
func (p *part) report(took time.Duration, missing []tiling.Rect) {
	var rows int64
	for _, r := range missing {
		rows += r.Rows()
	}
	computed := tiling.Problem{M: rows, N: p.spec.B.Cols, K: p.k}
	bytes := int64(0)
	for _, b := range []buffer{p.a[0], p.a[1], p.b[0], p.b[1], p.c[0], p.c[1], p.panelsA, p.panelsB} {
		bytes += int64(len(b.mem))
	}
	p.ran = took
	took -= p.stored
	p.rep = report{
		A: p.in.a.Path, B: p.in.b.Path, Out: p.out,
		M: p.spec.A.Rows, N: p.spec.B.Cols, K: p.spec.A.Cols, DType: p.spec.Type.String(),
		Workers: p.crew.workers, ISA: p.tuned.kernel.ISA.String(), Kernel: p.tuned.kernel.String(),
		TileM: p.tiles[0], TileN: p.tiles[1], Segment: p.crew.kind.String(), Bytes: bytes,
		Profile: p.tuned.path, Tasks: p.tasks, Kept: p.spec.A.Rows - rows, Deaths: p.deaths,
		Peak: p.rate * float64(p.world.Size) / 1e9,
		Ranks: &ranksReport{
			Ranks: p.world.Size, P: p.plan.P, Q: p.plan.Q, Panel: p.plan.Width, Bands: p.plan.Bands,
			Bytes: p.plan.Bytes, Exposed: (took - p.multiplied).Seconds(),
		},
	}
	p.tracer.about(p.crew.workers, p.tuned.kernel.String(), p.rep.Peak)
	p.rep.Seconds.Multiply, p.rep.Seconds.Store = took.Seconds(), p.stored.Seconds()
	if took > 0 {
		p.rep.GFLOPS = computed.Flops() / took.Seconds() / 1e9
	}
	if p.rep.Peak > 0 {
		p.rep.Share = p.rep.GFLOPS / p.rep.Peak
	}
}
