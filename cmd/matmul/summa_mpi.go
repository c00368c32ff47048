//go:build mpi

package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"time"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/internal/mpi"
	"matmul/internal/summa"
	"matmul/internal/sys"
	"matmul/master"
	"matmul/shmmat"
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

	// Panels of two steps, one of which is multiplied while the other is on its
	// way; and the block of C before and after a step, by turns.
	a, b [2]buffer
	c    [2]buffer

	chunks chan []byte // with --scatter, memory of rank 0 for what others send or are sent
	file   *mpi.File   // that C is written to; nil with --scatter

	band        struct{ r0, r1 int64 } // rows of C that are being done
	failed      error                  // what went wrong here and is not agreed on yet
	checkpoints bool                   // rank 0 makes some

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

// openFile opens the part file at every rank, unless rank 0 alone writes it.
// Collective.
func (p *part) openFile(ctx context.Context) error {
	if p.scatter {
		return nil
	}
	dir, name, err := matfile.Beside(p.out)
	if err := p.agree(ctx, err); err != nil {
		return err
	}
	p.file, err = p.world.OpenFile(filepath.Join(dir, name+matfile.PartSuffix))
	return p.agree(ctx, err)
}

// closeFile makes durable what every rank has written. Collective.
func (p *part) closeFile() error {
	if p.file == nil {
		return nil
	}
	return errors.Join(p.file.Sync(), p.file.Close())
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
	if err := p.agree(ctx, err); err != nil {
		return err
	}
	rate, err := p.least(ctx, int64(p.rate))
	if err != nil {
		return err
	}
	each := int64(p.crew.workers) * (perProcess + mostScratch)
	if p.scatter {
		each += chunks * chunkSize
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
	on := summa.Machines{Ranks: p.world.Size, Rate: float64(rate), Network: net, Scatter: p.scatter}
	p.plan, err = summa.Fit(problem, p.spec.Type.Size(), on, float64(left), time.Duration(every).Seconds())
	if err != nil {
		return resourceError{fmt.Errorf("not enough memory: %w, and one rank may take %s; use more ranks", err, tune.FormatBytes(max(left, 0)))}
	}
	p.underway = time.Duration(2 * p.plan.Transfer / float64(p.plan.Bands*tiling.Tiles(p.k, p.plan.Width)) * float64(time.Second))
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

// allocate sets the buffers aside, for the largest block.
func (p *part) allocate(ctx context.Context) error {
	size := int64(p.spec.Type.Size())
	r := p.plan.Block(0, 0, p.plan.Height(), p.spec.B.Cols) // the first is the largest
	for _, b := range []struct {
		to *[2]buffer
		n  int64
	}{{&p.a, r.Rows() * p.plan.Width}, {&p.b, r.Cols() * p.plan.Width}, {&p.c, r.Rows() * r.Cols()}} {
		for i := range b.to {
			var err error
			if b.to[i].number, b.to[i].mem, err = p.pool.Keep(ctx, max(8, b.n*size)); err != nil {
				return err
			}
		}
	}
	if p.scatter && p.world.Rank == 0 {
		p.chunks = make(chan []byte, chunks)
		for range chunks {
			p.chunks <- mpi.Alloc(chunkSize)
		}
	}
	return nil
}

// block returns what a rank owns of the band that is being done.
func (p *part) block(rank int) tiling.Rect {
	return p.plan.Block(rank, p.band.r0, p.band.r1, p.spec.B.Cols)
}

// doBand computes a band of C and writes it. Collective.
func (p *part) doBand(ctx context.Context) error {
	steps := int(tiling.Tiles(p.k, p.plan.Width))
	coming := p.begin(ctx, 0)
	if err := p.arrive(ctx, coming, nil); err != nil {
		return err
	}
	for t := range steps {
		var product *stepRun
		if p.failed == nil { // else the others are told so before the next step
			product = p.start(ctx, t)
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

// A coming is the panels of a step on their way.
type coming struct {
	ctx      context.Context
	step     int
	reading  chan error     // of pieces; nil when they have been read
	read     chan parcel    // of pieces of other ranks, with --scatter
	parcels  []parcel       // that are being sent
	pieces   []*mpi.Request // of this rank, with --scatter
	broken   error          // of beginning to receive them
	posted   bool           // the broadcasts have begun
	requests []*mpi.Request
}

// begin begins to bring the panels of a step: first, the pieces of them that this
// rank has itself.
func (p *part) begin(ctx context.Context, step int) *coming {
	c := &coming{ctx: ctx, step: step, reading: make(chan error, 1)}
	failed := p.failed
	switch {
	case p.scatter && p.world.Rank == 0:
		c.read = make(chan parcel)
		go func() { c.reading <- p.ship(ctx, step, c.read, failed) }()
	case p.scatter:
		c.pieces, c.broken = p.receive(step)
		c.reading <- nil
	case failed != nil:
		c.reading <- nil
	default:
		go func() { c.reading <- p.read(ctx, step) }()
	}
	return c
}

// advance drives the transfers and reports whether all is here. The last of them
// is an agreement on whether to go on.
func (p *part) advance(c *coming) (bool, error) {
	if c.broken != nil {
		return false, c.broken
	}
	if c.reading != nil || len(c.parcels) > 0 {
		var next *parcel
		select {
		case parcel := <-c.read:
			next = &parcel
		case err := <-c.reading:
			p.failed, c.reading = cmp.Or(p.failed, err, context.Cause(c.ctx)), nil
		default:
		}
		if err := p.send(c, next); err != nil || c.reading != nil || len(c.parcels) > 0 {
			return false, err
		}
	}
	if here, err := allDone(c.pieces); !here || err != nil {
		return false, err
	}
	if !c.posted {
		c.posted = true
		if err := p.post(c); err != nil {
			return false, err
		}
	}
	return allDone(c.requests)
}

// post begins the transfers of a step.
func (p *part) post(c *coming) error {
	a, b := p.owners(c.step)
	mine := p.block(p.world.Rank)
	width := p.width(c.step) * int64(p.spec.Type.Size())
	for _, m := range []struct {
		comm  *mpi.Comm
		root  int
		lanes int64
		buf   buffer
	}{{p.row, a, mine.Rows(), p.a[c.step%2]}, {p.col, b, mine.Cols(), p.b[c.step%2]}} {
		if m.comm.Size == 1 || m.lanes*width == 0 {
			continue // no rank of this row or column has any of it
		}
		r, err := m.comm.Bcast(m.buf.mem[:m.lanes*width], m.root)
		if err != nil {
			return err
		}
		c.requests = append(c.requests, r)
	}
	*p.vote = p.ballot(p.failed)
	r, err := p.world.Max(p.vote)
	c.requests = append(c.requests, r)
	return err
}

// owners returns the column of the grid whose ranks have the panels of A of a
// step, and the row whose ranks have those of B.
func (p *part) owners(step int) (col, row int) { return step % p.plan.Q, step % p.plan.P }

// width returns the columns of k of a step.
func (p *part) width(step int) int64 {
	return min(p.plan.Width, p.k-int64(step)*p.plan.Width)
}

// A stepRun is the product of a step that is being done.
type stepRun struct {
	over chan struct{} // closed when it is
	err  error
}

// start begins to multiply the panels of a step.
func (p *part) start(ctx context.Context, step int) *stepRun {
	r := &stepRun{over: make(chan struct{})}
	go func() {
		r.err = p.multiply(ctx, step)
		close(r.over)
	}()
	return r
}

// wait waits until the product is over or so much time has passed, and reports
// whether it is over.
func (r *stepRun) wait(d time.Duration) bool {
	select {
	case <-r.over:
		return true
	default:
	}
	if d == 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.over:
		return true
	case <-timer.C:
		return false
	}
}

// arrive waits for the panels that are coming, if any are, and for the product
// of the step before, if one is being done. The error is that of any rank.
func (p *part) arrive(ctx context.Context, c *coming, product *stepRun) error {
	arrived, idle := c == nil, time.Now()
	err := p.until(ctx, func() (_ bool, err error) {
		if product != nil && product.wait(0) {
			p.failed, product, idle = cmp.Or(p.failed, product.err), nil, time.Now()
		}
		if !arrived {
			arrived, err = p.advance(c)
		}
		return arrived && product == nil, err
	}, func() {
		switch {
		case product == nil:
			pause(idle)
		case arrived:
			product.wait(mostPause)
		default:
			sys.Nap(busyPause)
		}
	})
	if err != nil || c == nil {
		return err
	}
	return p.verdict(ctx, *p.vote, p.failed)
}

// busyPause is the time between looks for messages while workers compute: each
// look takes a worker's processor from it for some microseconds, and moves a few
// hundred KiB at most between ranks that share memory.
const busyPause = 300 * time.Microsecond

// multiply adds the product of the panels of a step to this rank's block of C.
func (p *part) multiply(ctx context.Context, step int) error {
	r := p.block(p.world.Rank)
	if r.Rows() == 0 || r.Cols() == 0 {
		return nil
	}
	if step == 0 {
		p.turn(r)
	}
	w := max(p.width(step), 0)
	s := p.spec
	s.A.Matrix = packed(s.A.Matrix, r.Rows(), w, s.Type, p.a[step%2])
	s.B.Matrix = packed(s.B.Matrix, w, r.Cols(), s.Type, p.b[step%2])
	s.A.File, s.B.File, s.C0 = nil, nil, master.Operand{}
	s.Kept, s.MaxScratch = nil, mostScratch
	if step > 0 {
		s.Beta = 1
	}
	if s.Beta != 0 {
		s.C0.Matrix = packed(shmmat.Matrix{}, r.Rows(), r.Cols(), s.Type, p.c[(step+1)%2])
	}
	s.Out = master.Output{Kept: packed(shmmat.Matrix{}, r.Rows(), r.Cols(), s.Type, p.c[step%2])}
	_, plan, err := p.crew.plan(p.tuned, s)
	if err != nil {
		return err
	}
	job, err := p.pool.Prepare(ctx, plan)
	if err != nil {
		return err
	}
	defer job.Close()
	rep, err := job.Run(ctx)
	p.multiplied += rep.Wall
	p.tasks, p.deaths = p.tasks+rep.Tasks, p.deaths+rep.Deaths
	p.tiles = [2]int64{plan.TileM, plan.TileN}
	return err
}

// packed returns the matrix of rows × cols that lies in a buffer without gaps, in
// the order of like.
func packed(like shmmat.Matrix, rows, cols int64, t elem.Type, b buffer) shmmat.Matrix {
	m := shmmat.Matrix{Rows: rows, Cols: cols, Order: like.Order, Type: t, Segment: b.number}
	m.LD = max(m.Minors(), 1)
	return m
}

// store writes this rank's block of a band, as other ranks do theirs, and
// records it if there are checkpoints. Collective.
func (p *part) store(ctx context.Context, mem []byte) error {
	begin := time.Now()
	defer func() { p.stored += time.Since(begin) }()
	r := p.block(p.world.Rank)
	mem = mem[:r.Rows()*r.Cols()*int64(p.spec.Type.Size())]
	if p.spec.Type == elem.Float32 {
		canonical(elem.Slice[float32](mem))
	} else {
		canonical(elem.Slice[float64](mem))
	}
	write := p.writeTogether
	if p.scatter {
		write = p.collect
	}
	if err := p.agree(ctx, write(ctx, mem)); err != nil || !p.checkpoints {
		return err
	}
	if p.file != nil {
		if err := p.agree(ctx, p.file.Sync()); err != nil {
			return err
		}
	}
	return p.agree(ctx, p.record(r, mem))
}

// writeTogether writes this rank's block of a band, as other ranks do theirs.
// Collective.
func (p *part) writeTogether(_ context.Context, mem []byte) error {
	// The header's length is that of the same matrix at every rank.
	m, n, size := p.spec.A.Rows, p.spec.B.Cols, p.spec.Type.Size()
	total, err := matfile.Size(m, n, p.spec.Type)
	if err != nil {
		return err
	}
	return p.file.WriteBlock(mem, total-m*n*int64(size), size, m, n, p.block(p.world.Rank))
}

// castagnoli is the polynomial of the sums that a journal holds.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record notes in the journal of rank 0 what every rank has written. Collective.
func (p *part) record(r tiling.Rect, mem []byte) error {
	mine := make([]byte, 0, 40)
	for _, v := range []int64{r.R0, r.R1, r.C0, r.C1, int64(crc32.Checksum(mem, castagnoli))} {
		mine = binary.NativeEndian.AppendUint64(mine, uint64(v))
	}
	all, err := p.world.Gather(mine, 0)
	if p.reached(err) != nil || p.world.Rank > 0 {
		return err
	}
	for ; len(all) > 0; all = all[len(mine):] {
		at := func(i int) int64 { return int64(binary.NativeEndian.Uint64(all[8*i:])) }
		if r := (tiling.Rect{R0: at(0), R1: at(1), C0: at(2), C1: at(3)}); r.Rows() > 0 && r.Cols() > 0 {
			p.saver.stored(r, uint32(at(4)))
		}
	}
	return p.save()
}

// report says what the product took, as rank 0 saw it.
func (p *part) report(took time.Duration, missing []tiling.Rect) {
	var rows int64
	for _, r := range missing {
		rows += r.Rows()
	}
	computed := tiling.Problem{M: rows, N: p.spec.B.Cols, K: p.k}
	bytes := int64(0)
	for _, b := range [][2]buffer{p.a, p.b, p.c} {
		bytes += int64(len(b[0].mem) + len(b[1].mem))
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
	p.rep.Seconds.Multiply, p.rep.Seconds.Store = took.Seconds(), p.stored.Seconds()
	if took > 0 {
		p.rep.GFLOPS = computed.Flops() / took.Seconds() / 1e9
	}
	if p.rep.Peak > 0 {
		p.rep.Share = p.rep.GFLOPS / p.rep.Peak
	}
}
