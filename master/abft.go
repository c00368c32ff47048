package master

import (
	"errors"
	"fmt"
	"slices"

	"matmul/shmmat"
	"matmul/tiling"
)

// ErrWrong is returned when a tile of C failed its check however often, and by
// whomever, it was computed.
var ErrWrong = errors.New("a tile of C fails its check again and again")

// A DamageError is returned when kept panels of A or of B have changed in memory
// since they were packed, so that a job cannot go on with them.
type DamageError struct{ A, B bool }

// Error says which.
func (e *DamageError) Error() string {
	of := "A and B"
	if !e.B {
		of = "A"
	} else if !e.A {
		of = "B"
	}
	return "panels of " + of + " have changed in memory"
}

// A tile that fails its check is given to another worker, if there is one, at
// most MostTries times in all. A worker of which faultyTiles were wrong is
// retired. Neither number matters much: a fault that happens once a year is seen
// once, and one that is there all the time is seen at once.
const (
	MostTries   = 6
	faultyTiles = 3
)

// A Wrong is a tile that failed its check.
type Wrong struct {
	Tile      tiling.Rect // of C
	Worker    int
	Process   int // 0 for a goroutine
	Processor int // -1 if unknown
	// PanelsA and PanelsB tell whose panels had changed since they were packed.
	// Then memory is at fault, and not the worker; nor is it blamed if panels were
	// packed again meanwhile.
	PanelsA, PanelsB bool
	// Retired says that this was one wrong tile too many of the worker, and
	// another takes its place on processor Moved, -1 for any.
	Retired bool
	Moved   int
}

// Error says it in a line.
func (w *Wrong) Error() string {
	s := fmt.Sprintf("rows %d to %d, columns %d to %d of C failed their check, computed by worker %d",
		w.Tile.R0, w.Tile.R1, w.Tile.C0, w.Tile.C1, w.Worker)
	if w.Process > 0 {
		s += fmt.Sprintf(" (process %d, processor %d)", w.Process, w.Processor)
	}
	switch {
	case w.PanelsA && w.PanelsB:
		s += ": panels of A and B have changed in memory"
	case w.PanelsA:
		s += ": panels of A have changed in memory"
	case w.PanelsB:
		s += ": panels of B have changed in memory"
	}
	if w.Retired && w.Moved >= 0 {
		s += fmt.Sprintf("; the worker is replaced by one on processor %d", w.Moved)
	} else if w.Retired {
		s += "; the worker is replaced"
	}
	return s
}

// repairs are what a job does again because a tile failed its check.
type repairs struct {
	tiles map[int]*redo // those that failed, by task number
	packs map[int][]int // PACK tasks that are done again, and the tiles that wait for each
	queue []int         // those of them that are to be handed out
	ended int64         // when the last of them was done, as Answer.End
	err   error         // a tile failed too often
}

// redo is a tile that failed.
type redo struct {
	tries, seat int // how often, and whose worker computed it last
	waits       int // PACK tasks that are to be done again before it
}

// wrong takes the news that a tile failed its check.
func (r *run) wrong(m *member, t shmmat.Task, a shmmat.Answer) {
	f, id := shmmat.FindingOf(a.Value), int(t.ID)
	w := Wrong{Tile: t.Rect, Worker: m.index, Process: int(m.pid.Load()), Processor: f.Processor, PanelsA: f.PanelsA, PanelsB: f.PanelsB}
	if r.repairs.tiles == nil {
		r.repairs = repairs{tiles: map[int]*redo{}, packs: map[int][]int{}}
	}
	tile := r.repairs.tiles[id]
	if tile == nil {
		tile = &redo{}
		r.repairs.tiles[id] = tile
	}
	tile.seat = m.index
	r.rep.Wrong++
	lost := DamageError{
		A: f.PanelsA && !r.repack(id, tile, tiling.PackA, t.Rect.R0, t.Rect.R1),
		B: f.PanelsB && !r.repack(id, tile, tiling.PackB, t.Rect.C0, t.Rect.C1),
	}
	// Panels may have been packed again while the tile was computed from them.
	mended := len(r.repairs.packs) > 0 || a.Begin <= r.repairs.ended
	if !f.PanelsA && !f.PanelsB && !mended {
		if w.Retired, w.Moved = r.j.p.blame(m); w.Retired {
			r.rep.Retired++
		}
	}
	if r.j.Wrong != nil {
		r.j.Wrong(w)
	}
	if lost.A || lost.B {
		r.repairs.err = &lost
		return
	}
	if tile.tries++; tile.tries == MostTries {
		r.repairs.err = fmt.Errorf("%w: %w", ErrWrong, &w)
		return
	}
	if tile.waits == 0 {
		r.sched.Again(id)
	}
}

// repack lets the blocks of an operand that hold lanes l0 to l1 be packed again
// before a tile is done again, and reports whether the job packs any. Who reads
// panels meanwhile sees the bytes that were there, but for those that had
// changed.
func (r *run) repack(id int, tile *redo, kind tiling.Kind, l0, l1 int64) (packs bool) {
	for pack := range r.j.Tasks() {
		if rect := r.j.Rect(pack); r.j.Kind(pack) != kind || rect.R1 <= l0 || rect.R0 >= l1 {
			continue
		}
		if _, queued := r.repairs.packs[pack]; !queued {
			r.repairs.queue = append(r.repairs.queue, pack)
		}
		r.repairs.packs[pack] = append(r.repairs.packs[pack], id)
		tile.waits++
		packs = true
	}
	return packs
}

// repacked reports whether a task that was lost, or was done and ended at some time,
// was one that is done again for tiles, which it lets go on if it is done.
func (r *run) repacked(id int, done bool, end int64) bool {
	tiles, ok := r.repairs.packs[id]
	if ok && !done {
		r.repairs.queue = append(r.repairs.queue, id)
	}
	if !ok || !done {
		return ok
	}
	delete(r.repairs.packs, id)
	r.repairs.ended = end
	for _, tile := range tiles {
		redo := r.repairs.tiles[tile]
		if redo.waits--; redo.waits == 0 {
			r.sched.Again(tile)
		}
	}
	return true
}

// nextFor takes the next task for a worker: what is to be packed again, else the
// ready task with the lowest number that is not a tile which this worker has
// just failed at; of a tile no more than its share of them.
func (r *run) nextFor(m *member, share float64) (id int, ok bool) {
	if len(r.repairs.queue) > 0 {
		id, r.repairs.queue = r.repairs.queue[0], r.repairs.queue[1:]
		return id, true
	}
	var others []int
	for id, ok = r.sched.Next(share); ok; id, ok = r.sched.Next(share) {
		if tile := r.repairs.tiles[id]; tile == nil || tile.seat != m.index || len(r.j.p.members) == 1 {
			break
		}
		others = append(others, id)
	}
	for _, other := range others {
		r.sched.Again(other)
	}
	return id, ok
}

// blame counts a wrong tile of a worker, and ends the worker if there were too
// many. Another takes its seat, on a processor that no worker has if there is
// one.
func (p *Pool) blame(m *member) (retired bool, moved int) {
	m.wrong++
	if m.wrong < faultyTiles || m.pid.Load() == 0 { // a goroutine cannot be ended
		return false, -1
	}
	moved = -1
	if len(p.pins) > p.cfg.Workers {
		p.pins[m.index] = p.pins[p.cfg.Workers]
		p.pins = slices.Delete(p.pins, p.cfg.Workers, p.cfg.Workers+1)
		moved = p.pins[m.index]
	}
	m.doubt(fmt.Errorf("computed %d tiles wrongly: killed", m.wrong))
	return true, moved
}
