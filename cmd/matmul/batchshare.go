package main

import (
	"context"
	"io/fs"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/matfile"
	"matmul/master"
	"matmul/shmmat"
)

// keepsShares says whether anything is shared. It is not: with shares, verification
// found a wrong product in a campaign of batches that were killed and resumed
// (KilledBatch), and it is not known yet why.
const keepsShares = false

// A share is a matrix that stays in shared memory from one job of the workers to
// the next: an operand in panels that several read, or an output that others
// read next. The goroutine that decides has all of it, but for what the job that
// makes it notes before it says that it is there.
type share struct {
	key   shareKey
	bytes int64
	waits int // jobs that can use it and have not ended
	users int // jobs that run and make it or use it
	state shareState

	number uint32      // of the kept segment; 0 if there is none
	of     fs.FileInfo // the file whose contents it has, as it was; nil if it has not
}

// A shareKey says what a share holds.
type shareKey struct {
	file  string // after symbolic links
	role  byte   // 'a' or 'b', panels of that operand; 'c', an output by rows
	trans bool
	elem  elem.Type
	alpha float64 // in the panels of A; else 1
}

type shareState uint8

const (
	shareAbsent shareState = iota
	shareMade              // by a job that runs
	shareThere
	shareLeaves // workers are told to leave it
)

// sharing is what one job has to do with shares.
type sharing struct {
	wants  [2]*share // that could be its A and B
	uses   [2]*share // that are
	fills  [2]*share // that it makes of its A and B
	output *share    // that it makes of its C
	taken  int       // of uses that were as they should be
}

// makes returns the shares that the job makes.
func (s *sharing) makes() (all []*share) {
	for _, m := range []*share{s.fills[0], s.fills[1], s.output} {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// outputKey is the key of a job's output.
func outputKey(path string, t elem.Type) shareKey {
	return shareKey{file: sameFile(path), role: 'c', elem: t, alpha: 1}
}

// register notes which shares a job could use.
func (w *work) register(it *item) {
	if it.alone || it.state != itemWaits || it.Alpha == 0 || it.K == 0 {
		return
	}
	u, err := w.choose(it.elem)
	if err != nil {
		return // the job will say so
	}
	size := int64(it.elem.Size())
	panels := func(lanes int64, width int) int64 { return int64(gemm.PanelLen(int(lanes), int(it.K), width)) * size }
	it.wants[0] = w.share(it.A, shareKey{role: 'a', trans: it.TransA, elem: it.elem, alpha: it.Alpha}, panels(it.M, u.kernel.MR))
	it.wants[1] = w.share(it.B, shareKey{role: 'b', trans: it.TransB, elem: it.elem, alpha: 1}, panels(it.N, u.kernel.NR))
}

// share returns the share of a file, for one more job: its panels, or the rows
// that another job of the workers makes.
func (w *work) share(path string, key shareKey, bytes int64) *share {
	key.file = sameFile(path)
	if by := w.byJob[w.checks.Writer(path)]; by != nil && !by.alone && by.elem == key.elem {
		key, bytes = outputKey(path, key.elem), by.out.DataSize()
	}
	s := w.shares[key]
	if s == nil {
		s = &share{key: key, bytes: bytes}
		w.shares[key] = s
	}
	s.waits++
	return s
}

// release notes that a job has ended, or will not run.
func (w *work) release(it *item) {
	for i, s := range it.wants {
		if it.wants[i] = nil; s != nil {
			s.waits--
			w.dropIdle(s)
		}
	}
}

// enlist decides which shares a job that starts uses, and which it makes, as far
// as there is memory.
func (w *work) enlist(it *item) {
	makes := func(s *share, others int) *share {
		if s == nil || s.state != shareAbsent || s.waits <= others || w.memory+s.bytes > w.limit {
			return nil
		}
		s.state = shareMade
		s.users++
		w.memory += s.bytes
		return s
	}
	for i, s := range it.wants {
		if s != nil && s.state == shareThere {
			s.users++
			it.uses[i] = s
		} else if s != nil && s.key.role != 'c' {
			it.fills[i] = makes(s, 1)
		}
	}
	it.output = makes(w.shares[outputKey(it.Out, it.elem)], 0)
}

// multiplied notes that the workers are free of a job, and whether what it was to
// make is there.
func (w *work) multiplied(it *item, ok bool) {
	delete(w.pooled, it)
	for _, s := range it.makes() {
		s.users--
		s.state = shareThere
		if !ok || s.number == 0 {
			s.of = nil // of no file: nothing, or not all of it, is there
		}
		w.dropIdle(s)
	}
	for _, s := range it.uses {
		if s != nil {
			s.users--
			w.dropIdle(s)
		}
	}
	it.uses, it.fills, it.output = [2]*share{}, [2]*share{}, nil
}

// dropIdle gives a share back that nobody uses or will use.
func (w *work) dropIdle(s *share) {
	if s.state == shareThere && s.users == 0 && (s.waits == 0 || s.of == nil) {
		w.drop(s)
	}
}

// drop gives a share back that nobody uses now.
func (w *work) drop(s *share) {
	if s.number == 0 { // its memory was not to be had
		w.dropped(s)
		return
	}
	s.state = shareLeaves
	w.leaving++
	go func() {
		err := w.members.Drop(w.ctx, s.number)
		w.tell(func() {
			w.leaving--
			if err == nil {
				w.dropped(s)
			} // else it is there until the pool ends, and counts
		})
	}()
}

func (w *work) dropped(s *share) {
	w.memory -= s.bytes
	s.state, s.number, s.of = shareAbsent, 0, nil
}

// evict gives back all shares that no job uses now: one waits for the memory. It
// reports whether some are on their way.
func (w *work) evict() bool {
	for _, s := range w.shares {
		if s.state == shareThere && s.users == 0 {
			w.drop(s)
		}
	}
	return w.leaving > 0
}

// shareIn puts the shares of a job into what the workers are to do. What cannot
// be had is done without.
func (it *item) shareIn(ctx context.Context, pool *master.Pool) {
	p := it.p
	for i, at := range []struct {
		o *master.Operand
		f *matfile.File
	}{{&p.spec.A, p.in.a}, {&p.spec.B, p.in.b}} {
		if s := it.uses[i]; s != nil && isAs(at.f, s.of) {
			it.taken++
			at.o.File, at.o.InFile, at.o.Segment = nil, false, s.number
			if at.o.Packed = s.key.role != 'c'; !at.o.Packed {
				at.o.Type, at.o.BigEndian, at.o.Offset = it.elem, false, 0
			}
		}
		if s := it.fills[i]; s != nil && s.set(ctx, pool) {
			at.o.Segment = s.number
			s.of, _ = at.f.Stat()
		}
	}
	if s := it.output; s != nil && s.set(ctx, pool) {
		p.spec.Out.Kept = shmmat.Matrix{Rows: it.M, Cols: it.N, LD: it.N, Type: it.elem, Segment: s.number}
	}
}

// set sets the memory of a share aside, and reports whether it was to be had.
func (s *share) set(ctx context.Context, pool *master.Pool) bool {
	number, _, err := pool.Keep(ctx, s.bytes)
	s.number = number
	return err == nil
}

// isAs reports whether an open file is the one that st describes, with the same
// contents as far as its size and time tell.
func isAs(f *matfile.File, st fs.FileInfo) bool {
	now, err := f.Stat()
	return err == nil && st != nil && matfile.SameContents(now, st)
}
