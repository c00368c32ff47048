package master

import (
	"context"
	"errors"

	"matmul/internal/tile"
	"matmul/shmmat"
)

// dataSegment is the segment that the jobs of a pool live in, one at a time.
type dataSegment struct {
	number uint32 // counts the segments that there were
	kept   bool   // made by Reserve: not replaced because a job is small
	seg    *shmmat.Segment
	view   *shmmat.View // of the master; nil until somebody asks for it
}

func (d *dataSegment) close() (err error) {
	if d.view != nil {
		err = d.view.Close()
		d.view = nil
	}
	if d.seg != nil {
		err = errors.Join(err, d.seg.Close())
		d.seg = nil
	}
	return err
}

// fits reports whether a job with the given layout can live in the segment
// without most of it lying idle.
func (d *dataSegment) fits(l shmmat.Layout) bool {
	if d.seg == nil || !d.kept && d.seg.Layout.Bytes() > 4*l.Bytes()+64<<20 {
		return false
	}
	for r, e := range l.At {
		if e.Len > d.seg.Layout.At[r].Len {
			return false
		}
	}
	return true
}

// house makes sure that the data segment has room for a job. The one before is
// given back, by every worker, before a new one is made: they are never there
// both. With keep it is one for many jobs; see Reserve.
func (p *Pool) house(ctx context.Context, l shmmat.Layout, keep bool) error {
	if p.data.fits(l) && (p.data.kept || !keep) {
		return nil
	}
	if p.data.seg != nil {
		p.retract(shmmat.Data, p.data.number, shmmat.Message{Verb: shmmat.Data})
		if err := p.drive(ctx, idle{}); err != nil {
			return err
		}
		if err := p.data.close(); err != nil {
			return err
		}
	}
	seg, err := p.create(l)
	if err != nil {
		return err
	}
	p.data.seg, p.data.kept = seg, keep
	p.data.number++
	h, file := seg.Handle()
	msg := shmmat.Message{Verb: shmmat.Data, Number: p.data.number, Handle: h, Segment: seg, Settle: keep && !p.cfg.Small}
	p.announce(announcement{msg, present(file)})
	if keep {
		return p.drive(ctx, idle{}) // every worker has it before the first job
	}
	return nil
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
	release, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return p.house(ctx, l, true)
}

// dataView returns the master's view of the data segment.
func (p *Pool) dataView() (*shmmat.View, error) {
	if p.data.view == nil {
		v, err := p.data.seg.Map(shmmat.All(true))
		if err != nil {
			return nil, err
		}
		p.data.view = v
	}
	return p.data.view, nil
}

// memory returns what the master's own tasks see.
func (p *Pool) memory() (*tile.Memory, error) {
	v, err := p.dataView()
	return &tile.Memory{Data: v, Kept: p}, err
}

// idle is the work of telling the news.
type idle struct{ workersOnly }

func (idle) next(*member) (shmmat.Task, bool)         { return shmmat.Task{}, false }
func (idle) done(*member, shmmat.Task, shmmat.Answer) {}
func (idle) lost(shmmat.Task)                         {}
func (idle) finished() bool                           { return true }
