package master

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// Banded is a product that is done in bands: a sequence of jobs in one pool, two
// for each step of [tiling.Bands]. One packs the bands that the step needs into
// kept memory, at a lower priority than the step before, which it runs beside; the
// other multiplies them, goes on with the sums of the chunk of k before, and stores
// the last. What the next step needs comes from the disk while this one multiplies.
//
// Bands that are read again are compared, by the CRC-32C of each packed block,
// with what they were the first time.
type Banded struct {
	Spec  // with all operands and C in files
	Bands *tiling.Bands

	workers int
	skip    func(tiling.Rect) bool // whether a super-tile is kept
	count   int64                  // of steps that are not
	done    atomic.Int64           // of them
}

// NewBanded plans a product in bands for a pool of so many workers. The spec is
// one of which NewPlan makes a plan.
func NewBanded(s Spec, b *tiling.Bands, workers int) (*Banded, error) {
	p := &Banded{Spec: s, Bands: b, workers: workers}
	p.skip = func(c tiling.Rect) bool {
		kept := tiling.Covered(s.Kept, c)
		return len(kept) == 1 && kept[0].Rows() == c.Rows()
	}
	for range b.Steps(p.skip) {
		p.count++
	}
	_, err := p.Largest()
	return p, err
}

// Largest returns the plan of the largest multiplication, which is the first.
func (b *Banded) Largest() (*Plan, error) {
	for st := range b.Bands.Steps(nil) {
		return NewPlan(b.multiplication(st, &bandMemory{}), b.workers)
	}
	return NewPlan(b.Spec, b.workers) // C is empty
}

// Traffic returns what is read and written.
func (b *Banded) Traffic() tiling.Traffic { return b.Bands.Traffic(b.skip) }

// Progress returns how many steps are done, and how many there are to do.
func (b *Banded) Progress() (done, steps int64) { return b.done.Load(), b.count }

// bandMemory is the kept memory of bands, by slot.
type bandMemory struct{ a, b, sums [2]uint32 }

// A bandRun is a product in bands being done.
type bandRun struct {
	*Banded
	p      *Pool
	mem    bandMemory
	cancel context.CancelCauseFunc
	start  int64
	mu     sync.Mutex           // guards what follows
	seen   map[bandBlock]uint32 // the sum of each block, the first time
	rep    Report
}

// A bandBlock is a packed block of a band.
type bandBlock struct {
	kind tiling.Kind
	band int64
	r, c int64 // its first lane and depth
}

// RunBanded does a product in bands. The errors are those of Job.Run, and a
// *FileError for an input that was not the same when it was read again.
func (p *Pool) RunBanded(ctx context.Context, b *Banded) (Report, error) {
	r := &bandRun{Banded: b, p: p, start: sys.Monotonic(), seen: map[bandBlock]uint32{}}
	deaths := p.Deaths()
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	err := r.keep(ctx)
	if err == nil {
		err = r.steps(ctx)
	}
	r.drop(ctx)
	r.rep.Wall = time.Duration(sys.Monotonic() - r.start)
	r.rep.Deaths = p.Deaths() - deaths
	return r.rep, err
}

// keep sets the memory aside.
func (r *bandRun) keep(ctx context.Context) error {
	b := r.Bands
	for _, k := range []struct {
		to    *[2]uint32
		slots int64
		bytes int64
	}{{&r.mem.a, b.SlotsA, b.PanelsA() + b.ChecksumsA()}, {&r.mem.b, b.SlotsB, b.PanelsB() + b.ChecksumsB()}, {&r.mem.sums, b.SlotsC(), b.Sums()}} {
		for i := range k.slots {
			if k.bytes == 0 {
				continue
			}
			var err error
			if k.to[i], _, err = r.p.Keep(ctx, k.bytes); err != nil {
				return err
			}
		}
	}
	return nil
}

// drop gives the memory back. Where workers cannot be told, it is there until
// the pool is closed.
func (r *bandRun) drop(ctx context.Context) {
	for _, slots := range [][2]uint32{r.mem.a, r.mem.b, r.mem.sums} {
		for _, number := range slots {
			if number != 0 {
				_ = r.p.Drop(context.WithoutCancel(ctx), number)
			}
		}
	}
}

// steps does one step after the other, and meanwhile reads what the next one
// needs, as far as there is a slot for it.
func (r *bandRun) steps(ctx context.Context) error {
	next, stop := iter.Pull(r.Bands.Steps(r.skip))
	defer stop()
	s, ok := next()
	if !ok {
		return nil
	}
	if err := r.pack(ctx, s); err != nil {
		return err
	}
	for ok {
		following, more := next()
		beside := more && following.Beside(s)
		var packing sync.WaitGroup
		if more {
			packing.Go(func() {
				r.readAhead(ctx, following)
				if beside {
					r.end(r.pack(ctx, following))
				}
			})
		}
		r.end(r.multiply(ctx, s))
		packing.Wait()
		if more && !beside {
			r.end(r.pack(ctx, following))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s, ok = following, more
		r.done.Add(1)
	}
	return nil
}

// end ends the run if a part of it has failed.
func (r *bandRun) end(err error) {
	if err != nil {
		r.cancel(err)
	}
}

// Part returns a part of an operand, rows and columns of it, whose memory is kept
// under a number.
func (o Operand) Part(r tiling.Rect, segment uint32) Operand {
	at := r.R0*o.LD + r.C0
	if o.Order == shmmat.ColMajor {
		at = r.C0*o.LD + r.R0
	}
	o.Offset += at * int64(o.Type.Size())
	o.Rows, o.Cols, o.Segment = r.Rows(), r.Cols(), segment
	return o
}

// operands returns the product of a step with its bands in files.
func (b *Banded) operands(s tiling.Step, mem *bandMemory) Spec {
	x := b.Spec
	x.A = x.A.Part(tiling.Rect{R0: s.C.R0, R1: s.C.R1, C0: s.K0, C1: s.K1}, mem.a[s.SlotA])
	x.B = x.B.Part(tiling.Rect{R0: s.K0, R1: s.K1, C0: s.C.C0, C1: s.C.C1}, mem.b[s.SlotB])
	x.Out, x.Kept = Output{}, nil
	x.Priority = max(x.Priority, 1)
	return x
}

// packed returns an operand that lies in panels.
func packed(o Operand) Operand {
	o.File, o.Packed = nil, true
	return o
}

// packing returns the job that reads the bands of a step.
func (b *Banded) packing(s tiling.Step, mem *bandMemory) Spec {
	x := b.operands(s, mem)
	x.Priority--
	x.PackOnly, x.Beta = true, 0
	if !s.LoadA {
		x.A = packed(x.A)
	}
	if !s.LoadB {
		x.B = packed(x.B)
	}
	return x
}

// multiplication returns the job that computes a step. The sums of a chunk of k
// go from one slot to the other, so that it can be done again; what is read of
// C₀ lies in the other slot, too.
func (b *Banded) multiplication(s tiling.Step, mem *bandMemory) Spec {
	x := b.operands(s, mem)
	x.A, x.B = packed(x.A), packed(x.B)
	slot := 0
	if b.Bands.Chunks() > 1 {
		slot = int(s.K0 / b.Bands.Depth % 2)
	}
	x.Out.Kept = shmmat.Matrix{Rows: s.C.Rows(), Cols: s.C.Cols(), LD: s.C.Cols(), Type: x.Type, Segment: mem.sums[slot]}
	if s.First && x.Beta != 0 {
		x.C0 = x.C0.Part(s.C, mem.sums[1-slot])
	} else if !s.First {
		x.Beta, x.C0 = 1, Operand{Matrix: x.Out.Kept}
		x.C0.Segment = mem.sums[1-slot]
	}
	for _, kept := range tiling.Covered(b.Kept, s.C) {
		x.Kept = append(x.Kept, tiling.Rect{R0: kept.R0 - s.C.R0, R1: kept.R1 - s.C.R0, C1: s.C.Cols()})
	}
	if b.Wrong != nil {
		x.Wrong = func(w Wrong) {
			w.Tile = within(s.C, w.Tile)
			b.Wrong(w)
		}
	}
	if s.Last {
		b.store(&x.Out, s.C)
	}
	return x
}

// store has a super-tile stored in its place of C.
func (b *Banded) store(out *Output, c tiling.Rect) {
	n := b.Bands.N
	out.File, out.LD = b.Out.File, n
	out.Offset = b.Out.Offset + (c.R0*n+c.C0)*int64(b.Type.Size())
	if b.Out.Stored != nil {
		out.Stored = func(r tiling.Rect, sum uint32) { b.Out.Stored(within(c, r), sum) }
	}
}

// within returns where a rectangle of a super-tile lies in C.
func within(c, r tiling.Rect) tiling.Rect {
	return tiling.Rect{R0: r.R0 + c.R0, R1: r.R1 + c.R0, C0: r.C0 + c.C0, C1: r.C1 + c.C0}
}

// readAhead has the kernel read what a step needs into its cache, while workers
// multiply: they read it at once when they have nothing better to do.
func (r *bandRun) readAhead(ctx context.Context, s tiling.Step) {
	x := r.packing(s, &r.mem)
	for _, o := range []Operand{x.A, x.B} {
		if o.File == nil {
			continue
		}
		size, runs := int64(o.Type.Size()), o.Majors()
		run, next := o.Minors()*size, o.LD*size
		if run == next {
			run, runs = run*runs, 1
		}
		for i := int64(0); i < runs && ctx.Err() == nil; i++ {
			sys.ReadAhead(o.File, o.Offset+i*next, run)
		}
	}
}

// pack reads the bands that a step needs and that are not there.
func (r *bandRun) pack(ctx context.Context, s tiling.Step) error {
	if !s.LoadA && !s.LoadB {
		return nil
	}
	x := r.packing(s, &r.mem)
	x.Filled = func(k tiling.Kind, rect tiling.Rect, sum uint32) {
		at := bandBlock{kind: k, band: s.A, r: rect.R0, c: rect.C0}
		role, file := shmmat.FileA, r.A.File
		if k == tiling.PackB {
			at.band, role, file = s.B, shmmat.FileB, r.B.File
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if was, ok := r.seen[at]; ok && was != sum {
			r.cancel(&FileError{Role: role, Path: file.Name(), Status: shmmat.BadInput, Text: "was not the same when it was read again: it was changed, or a disk or memory is faulty"})
		}
		r.seen[at] = sum
	}
	return r.job(ctx, x)
}

// multiply computes a step. If bands have changed in memory, they are read again,
// and what is not stored yet is done again.
func (r *bandRun) multiply(ctx context.Context, s tiling.Step) error {
	var stored []tiling.Rect // of the super-tile
	for tries := 1; ; tries++ {
		x := r.multiplication(s, &r.mem)
		x.Kept = append(x.Kept, stored...)
		if tell := x.Out.Stored; tell != nil {
			x.Out.Stored = func(rect tiling.Rect, sum uint32) {
				stored = append(stored, rect)
				tell(rect, sum)
			}
		}
		err := r.job(ctx, x)
		var damage *DamageError
		if !errors.As(err, &damage) {
			return err
		}
		if tries == MostTries {
			return fmt.Errorf("%w: %w", ErrWrong, err)
		}
		again := s
		again.LoadA, again.LoadB = damage.A, damage.B
		r.forget(again)
		if err := r.pack(ctx, again); err != nil {
			return err
		}
	}
}

// forget forgets the sums of the bands that a step reads: they may be those of
// panels that had changed already.
func (r *bandRun) forget(s tiling.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.seen, func(b bandBlock, _ uint32) bool {
		return s.LoadA && b.kind == tiling.PackA && b.band == s.A || s.LoadB && b.kind == tiling.PackB && b.band == s.B
	})
}

// job does one job and adds its report to the sum.
func (r *bandRun) job(ctx context.Context, x Spec) error {
	plan, err := NewPlan(x, r.p.Workers())
	if err != nil {
		return err
	}
	j, err := r.p.Prepare(ctx, plan)
	if err != nil {
		return err
	}
	defer j.Close()
	begin := time.Duration(sys.Monotonic() - r.start)
	rep, err := j.Run(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rep.add(rep, begin)
	return err
}

// add adds the report of a job that began so long after.
func (r *Report) add(x Report, begin time.Duration) {
	r.Tasks, r.Wrong, r.Retired = r.Tasks+x.Tasks, r.Wrong+x.Wrong, r.Retired+x.Retired
	for k, busy := range x.Busy {
		if busy == 0 {
			continue
		}
		first, last := x.Span[k][0]+begin, x.Span[k][1]+begin
		if r.Busy[k] == 0 || first < r.Span[k][0] {
			r.Span[k][0] = first
		}
		r.Span[k][1] = max(r.Span[k][1], last)
		r.Busy[k] += busy
	}
}
