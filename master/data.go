package master

import (
	"context"
	"errors"
	"slices"

	"matmul/internal/elem"
	"matmul/internal/tile"
	"matmul/shmmat"
)

// A dataSegment is a segment that a job lives in, one at a time. It stays when
// the job is closed, for one that fits.
type dataSegment struct {
	number   uint32
	reserved bool // made by Reserve: not given back because a job is small
	used     bool // by a job
	leaving  bool // workers are told to leave it
	seg      *shmmat.Segment
	view     *shmmat.View // of the master; nil until somebody asks for it
}

// id returns the number of a segment; 0 if there is none.
func (d *dataSegment) id() uint32 {
	if d == nil {
		return 0
	}
	return d.number
}

// vacate leaves a segment, if there is one, to the next job.
func (d *dataSegment) vacate() {
	if d != nil {
		d.used = false
	}
}

func (d *dataSegment) close() (err error) {
	if d.view != nil {
		err = d.view.Close()
		d.view = nil
	}
	return errors.Join(err, d.seg.Close())
}

// fits reports whether a job with the given layout can live in the segment
// without most of it lying idle.
func (d *dataSegment) fits(l shmmat.Layout) bool {
	if d.used || d.leaving || !d.reserved && d.seg.Layout.Bytes() > 4*l.Bytes()+64<<20 {
		return false
	}
	for r, e := range l.At {
		if e.Len > d.seg.Layout.At[r].Len {
			return false
		}
	}
	return true
}

// house finds or makes a data segment for a job, and leaves it the pool's home.
// If none fits, those that no job lives in are given back, by every worker,
// before a new one is made: they are never there both. With reserve it is one
// for many jobs; see Reserve.
func (p *Pool) house(ctx context.Context, l shmmat.Layout, reserve bool) (*dataSegment, error) {
	if err := p.lock(ctx); err != nil {
		return nil, err
	}
	if d := p.vacant(l, reserve); d != nil {
		d.used, p.home = true, d
		p.mu.Unlock()
		return d, nil
	}
	leaving := p.vacate()
	p.mu.Unlock()
	if err := p.leave(ctx, leaving); err != nil {
		return nil, err
	}
	seg, err := p.create(l)
	if err != nil {
		return nil, err
	}
	if err := p.lock(ctx); err != nil {
		return nil, errors.Join(err, seg.Close())
	}
	defer p.mu.Unlock()
	p.segments++
	d := &dataSegment{number: p.segments, reserved: reserve, used: true, seg: seg}
	p.data, p.home = append(p.data, d), d
	h, file := seg.Handle()
	msg := shmmat.Message{Verb: shmmat.Data, Number: d.number, Handle: h, Segment: seg, Settle: reserve && !p.cfg.Small}
	p.announce(announcement{msg, present(file)})
	return d, nil
}

// vacant returns a segment that a job fits into, the home if that is one.
func (p *Pool) vacant(l shmmat.Layout, reserve bool) *dataSegment {
	suits := func(d *dataSegment) bool { return d.fits(l) && (d.reserved || !reserve) }
	if p.home != nil && suits(p.home) {
		return p.home
	}
	if i := slices.IndexFunc(p.data, suits); i >= 0 {
		return p.data[i]
	}
	return nil
}

// vacate has the workers told to leave the segments that no job lives in, and
// returns those that are being left.
func (p *Pool) vacate() (leaving []*dataSegment) {
	for _, d := range p.data {
		if d.used {
			continue
		}
		if !d.leaving {
			d.leaving = true
			p.retract(shmmat.Data, d.number, shmmat.Message{Verb: shmmat.Data, Number: d.number})
		}
		leaving = append(leaving, d)
	}
	return leaving
}

// leave frees segments when every worker has left them.
func (p *Pool) leave(ctx context.Context, leaving []*dataSegment) error {
	if len(leaving) == 0 {
		return nil
	}
	if err := p.drive(ctx, poolPriority, idle{p: p}); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for _, d := range leaving {
		if i := slices.Index(p.data, d); i >= 0 {
			p.data = slices.Delete(p.data, i, i+1)
			err = errors.Join(err, d.close())
		}
		if p.home == d {
			p.home = nil
		}
	}
	return err
}

// closeData frees all data segments, after the last worker has ended.
func (p *Pool) closeData() (err error) {
	for _, d := range p.data {
		err = errors.Join(err, d.close())
	}
	p.data, p.home = nil, nil
	return err
}

// create makes a segment of the pool's kind.
func (p *Pool) create(l shmmat.Layout) (*shmmat.Segment, error) {
	if p.cfg.Small {
		return shmmat.CreateSmall(p.cfg.Kind, l, p.cfg.Dir)
	}
	return shmmat.Create(p.cfg.Kind, l, p.cfg.Dir)
}

// Reserve makes a data segment that has room for each of the plans, one at a
// time, so that going from one to the other sets no memory aside anew, and
// prepares it for many uses: all pages present in every view, huge if possible.
func (p *Pool) Reserve(ctx context.Context, plans ...*Plan) error {
	var length shmmat.Lengths
	for _, pl := range plans {
		for r, e := range pl.Layout.At {
			length[r] = max(length[r], e.Len)
		}
	}
	l, err := shmmat.NewLayout(length)
	if err != nil {
		return err
	}
	d, err := p.house(ctx, l, true)
	if err != nil {
		return err
	}
	p.mu.Lock()
	d.used = false
	p.mu.Unlock()
	return p.drive(ctx, poolPriority, idle{p: p}) // every worker has it before the first job
}

// A Memory is a pool, whose Reserve has made a segment or whose last job still
// has its, or a job.
type Memory interface {
	look() (*shmmat.View, error)
}

// Elements returns the memory of a region of a data segment as elements: to
// fill operands that are handed over in memory between Prepare (or Reserve) and
// Run, and to read C after it. It is the whole region, which is longer than the
// matrix. Of a job, it is valid until its Close; of a pool, until the next
// Prepare that needs more, or Close.
func Elements[T elem.Float](of Memory, r shmmat.Region) ([]T, error) {
	v, err := of.look()
	if err != nil || v == nil {
		return nil, err
	}
	return elem.Slice[T](v.Bytes(r)), nil
}

func (p *Pool) look() (*shmmat.View, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.home.look()
}

func (j *Job) look() (*shmmat.View, error) {
	j.p.mu.Lock()
	defer j.p.mu.Unlock()
	return j.home.look()
}

// look returns the master's view of a segment; nil if there is none. The caller
// holds the pool's mutex.
func (d *dataSegment) look() (*shmmat.View, error) {
	if d == nil {
		return nil, nil
	}
	if d.view == nil {
		v, err := d.seg.Map(shmmat.All(true))
		if err != nil {
			return nil, err
		}
		d.view = v
	}
	return d.view, nil
}

// memory returns what the master's own tasks see.
func (p *Pool) memory(d *dataSegment) (*tile.Memory, error) {
	v, err := d.look()
	return &tile.Memory{Data: v, Kept: p}, err
}

// idle is the work of telling the news. With last it is over when all other
// work is, too.
type idle struct {
	workersOnly
	p    *Pool
	last bool
}

func (idle) next(*member) (t shmmat.Task, ok, hold bool) { return t, false, false }
func (idle) done(*member, shmmat.Task, shmmat.Answer)    {}
func (idle) lost(*member, shmmat.Task)                   {}

func (i idle) finished() bool { return i.p.told() && (!i.last || len(i.p.errands) == 1) }
