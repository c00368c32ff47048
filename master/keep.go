package master

import (
	"context"
	"errors"
	"os"

	"matmul/internal/tile"
	"matmul/shmmat"
)

// kept is the segment of a matrix that its owner keeps from job to job, and the
// master's view of it.
type kept struct {
	seg  *shmmat.Segment
	view *shmmat.View
}

func (k kept) close() error { return errors.Join(k.view.Close(), k.seg.Close()) }

// Keep sets n bytes aside, zeroed, for what its owner keeps from job to job: a
// matrix, or the panels of an operand. An operand or a result that names the
// number as its Segment is not copied. The memory is there until Drop or Close.
func (p *Pool) Keep(ctx context.Context, n int64) (number uint32, mem []byte, err error) {
	l, err := shmmat.NewLayout(shmmat.Lengths{shmmat.Kept: n})
	if err != nil {
		return 0, nil, err
	}
	var k kept
	if k.seg, err = p.create(l); err != nil {
		return 0, nil, err
	}
	if k.view, err = k.seg.Map(shmmat.KeptRights(true)); err != nil {
		return 0, nil, errors.Join(err, k.seg.Close())
	}
	if err := p.lock(ctx); err != nil {
		return 0, nil, errors.Join(err, k.close())
	}
	defer p.mu.Unlock()
	p.segments++
	p.kept[p.segments] = k
	h, file := k.seg.Handle()
	msg := shmmat.Message{Verb: shmmat.Keep, Number: p.segments, Handle: h, Segment: k.seg}
	p.announce(announcement{msg, present(file)})
	return p.segments, k.view.Bytes(shmmat.Kept)[:n], nil
}

// KeptFile returns the file that a kept matrix lies in, and where it begins there, in
// bytes; nil if it lies in none. Workers can pack it from there as any other.
func (p *Pool) KeptFile(number uint32) (f *os.File, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seg := p.kept[number].seg
	_, f = seg.Handle()
	return f, seg.Layout.At[shmmat.Kept].Off
}

// Drop gives back what Keep set aside, here and in every worker. An error says
// that workers could not be told; the memory is then there until Close.
func (p *Pool) Drop(ctx context.Context, number uint32) error {
	if err := p.lock(ctx); err != nil {
		return err
	}
	k, ok := p.kept[number]
	if !ok {
		panic("master: Drop of a matrix that is not kept")
	}
	p.retract(shmmat.Keep, number, shmmat.Message{Verb: shmmat.Drop, Number: number})
	p.mu.Unlock()
	if err := p.drive(ctx, poolPriority, idle{p: p}); err != nil {
		return err
	}
	p.mu.Lock()
	delete(p.kept, number)
	p.mu.Unlock()
	return k.close()
}

// dropAll closes what is kept, after the last worker has ended.
func (p *Pool) dropAll() (err error) {
	for number, k := range p.kept {
		err = errors.Join(err, k.close())
		delete(p.kept, number)
	}
	return err
}

// Kept returns a kept matrix as the master's own tasks see it. The caller holds
// the mutex.
func (p *Pool) Kept(number uint32) (tile.Kept, bool) {
	k, ok := p.kept[number]
	return tile.Kept{Read: k.view, Write: k.view}, ok
}
