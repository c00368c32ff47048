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

// A share is a matrix that stays in shared memory from one job of the workers to
// the next: an operand in panels that several read, or an output that others
// read next. It is used only if the job that made it has written all of it, in
// this batch, and is then bound to the contents of the file that it stands for.
// The goroutine that decides has all shares; what their maker knows of them it
// hands over when it has multiplied.
type share struct {
	key   shareKey
	bytes int64
	waits int // jobs that can use it and have not ended
	users int // jobs that use it now
	state shareState
	maker *item // while it is made
	held
}

// held is a kept segment and what it holds.
type held struct {
	number uint32      // of the segment; 0 if there is none
	of     fs.FileInfo // of the file with the same contents
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
	shareThere             // whole
	shareLeaves            // workers are told to leave it
)

// sharing is what one job has to do with shares. Those of makes are of its A, B
// and C.
type sharing struct {
	wants [2]*share // that could be its A and B
	uses  [2]*share // that are
	makes [3]*share
	made  [3]held // what it has set aside for them
	taken int     // of uses whose files were as they should be
}

// outputKey is the key of a job's output.
func outputKey(path string, t elem.Type) shareKey {
	return shareKey{file: sameFile(path), role: 'c', elem: t, alpha: 1}
}

// register notes which shares a job could use. With checks of tiles it uses none:
// panels that have changed in memory could not be packed again for all that use them.
func (w *work) register(it *item) {
	if w.abft || it.alone || it.state != itemWaits || it.Alpha == 0 || it.K == 0 {
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
	if by := w.byJob[w.checks.Writer(path)]; by != nil && by.sharesOutput() && by.elem == key.elem {
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

// sharesOutput reports whether the job may leave its output in memory.
func (it *item) sharesOutput() bool { return !it.alone && it.state != itemBefore && it.to.IsPlain() }

// release notes that a job has ended, or will not run.
func (w *work) release(it *item) {
	for i, s := range it.wants {
		if it.wants[i] = nil; s != nil {
			s.waits--
			w.dropIdle(s)
		}
	}
}

// awaitsShare reports whether another job, which does not go later, is just making
// what a job could use: it is packed once.
func (it *item) awaitsShare() bool {
	for _, s := range it.wants {
		if s != nil && s.state == shareMade && s.maker.Priority >= it.Priority {
			return true
		}
	}
	return false
}

// enlist decides which shares a job that starts uses, and which it makes, as far
// as there is memory.
func (w *work) enlist(it *item) {
	makes := func(s *share, others int) *share {
		if s == nil || s.state != shareAbsent || s.waits <= others || w.memory+s.bytes > w.limit.bytes {
			return nil
		}
		s.state, s.maker = shareMade, it
		w.memory += s.bytes
		return s
	}
	for i, s := range it.wants {
		if s != nil && s.state == shareThere {
			s.users++
			it.uses[i] = s
		} else if s != nil && s.key.role != 'c' {
			it.makes[i] = makes(s, 1)
		}
	}
	it.makes[2] = makes(w.shares[outputKey(it.Out, it.elem)], 0)
}

// multiplied notes that the workers are free of a job, and whether all of what it
// was to make is there.
func (w *work) multiplied(it *item, whole bool) {
	delete(w.pooled, it)
	for i, s := range it.makes {
		if it.makes[i] = nil; s == nil {
			continue
		}
		s.held, s.state, s.maker = it.made[i], shareThere, nil
		if !whole || s.number == 0 {
			w.drop(s)
		} else {
			w.dropIdle(s)
		}
	}
	for i, s := range it.uses {
		if it.uses[i] = nil; s != nil {
			s.users--
			w.dropIdle(s)
		}
	}
}

// dropIdle gives a share back that nobody uses or will use.
func (w *work) dropIdle(s *share) {
	if s.state == shareThere && s.users == 0 && s.waits == 0 {
		w.drop(s)
	}
}

// drop gives a share back that nobody uses now.
func (w *work) drop(s *share) {
	if s.number == 0 { // its memory was not to be had, or not asked for
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
	s.state, s.held = shareAbsent, held{}
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
		if it.makes[i] != nil {
			// If the file is changed before it is read, the job fails: see inputs.changed.
			it.made[i].of, _ = at.f.Stat()
			at.o.Segment = it.keep(ctx, pool, i)
		}
	}
	if number := it.keep(ctx, pool, 2); number != 0 {
		p.spec.Out.Kept = shmmat.Matrix{Rows: it.M, Cols: it.N, LD: it.N, Type: it.elem, Segment: number}
	}
}

// keep sets the memory aside of a share that the job makes, and returns its
// number; 0 if there is none.
func (it *item) keep(ctx context.Context, pool *master.Pool, i int) uint32 {
	if it.makes[i] == nil {
		return 0
	}
	number, _, err := pool.Keep(ctx, it.makes[i].bytes)
	if err != nil {
		return 0
	}
	it.made[i].number = number
	return number
}

// isAs reports whether an open file is the one that st describes, with the same
// contents as far as its size and time tell.
func isAs(f *matfile.File, st fs.FileInfo) bool {
	now, err := f.Stat()
	return err == nil && st != nil && matfile.SameContents(now, st)
}
