package tiling

import (
	"container/heap"
	"math"
	"slices"
)

// A Schedule knows which tasks of a Plan can run now. It is the readiness half
// of a master's private task table; who runs what is the other half, and not
// its business. It is not safe for concurrent use.
type Schedule struct {
	pl    *Plan
	ready idHeap

	depthsLeft [2][]int64 // per operand and lane block: PACK tasks not done
	rowWaits   []int32    // per tile row: lane blocks of A and rows of C₀ missing
	colWaits   []int32    // per tile column: lane blocks of B missing
	tilesLeft  []int32    // per tile row: tiles, and parts of them, not done, for STORE
	tileID     []int32    // number of the task of tile (i, j), row-major
	storeID    []int32    // number of the STORE task of tile row i
	left       int

	// Tiles that were cut: parts are numbered from Plan.Tasks() on, what is left of
	// a tile keeps its number.
	parts []part
	rects map[int]Rect // of those that are no more what the plan says
	whole map[int]bool // not to be cut: they were given back
	open  float64      // operations of the tiles that nobody has taken

	// Strips: how many were taken, where in C the next one begins, and the columns that
	// are kept back from all of them.
	taken int
	from  int64
	held  int64
}

// part is a part of the tile of a task.
type part struct {
	of   int
	rect Rect
}

// NewSchedule returns a schedule with no task done.
func NewSchedule(pl *Plan) *Schedule {
	s := &Schedule{pl: pl, left: pl.Tasks()}
	rows, cols := pl.TileRows(), pl.TileCols()
	s.tileID = make([]int32, rows*cols)
	s.storeID = make([]int32, rows)
	s.tilesLeft = make([]int32, rows)
	s.waits(0, pl.GridA, pl.rows, &s.rowWaits)
	s.waits(1, pl.GridB, pl.cols, &s.colWaits)
	for i := range rows {
		if pl.LoadC0 {
			s.rowWaits[i]++
		}
		if pl.isKept(i) {
			s.rowWaits[i] = math.MaxInt32 // for ever: it has no tasks
		}
	}
	for id, t := range pl.tasks {
		s.enter(int32(id), t)
	}
	heap.Init(&s.ready)
	return s
}

// waits fills what the tiles of one dimension wait for: the lane blocks that
// overlap them.
func (s *Schedule) waits(op int, g Grid, edge []int64, waits *[]int32) {
	*waits = make([]int32, max(len(edge)-1, 0))
	blocks := s.pl.blocks(g, 0)
	s.depthsLeft[op] = make([]int64, blocks)
	for b := range blocks {
		s.depthsLeft[op][b] = g.DepthBlocks()
		lo, hi := overlap(g.Block(b, 0), edge)
		for i := lo; i < hi; i++ {
			(*waits)[i]++
		}
	}
}

// overlap returns the range of pieces of edge that the rows of r touch.
func overlap(r Rect, edge []int64) (lo, hi int) {
	if len(edge) == 0 {
		return 0, 0
	}
	lo, on := slices.BinarySearch(edge, r.R0)
	if !on {
		lo--
	}
	hi, _ = slices.BinarySearch(edge, r.R1)
	return lo, hi
}

// enter notes where a task's number stands and makes it ready if it waits for
// nothing.
func (s *Schedule) enter(id int32, t entry) {
	switch t.kind {
	case Multiply:
		s.tilesLeft[t.i]++
		s.tileID[int(t.i)*s.pl.TileCols()+int(t.j)] = id
		s.open += s.pl.tile(t).Flops(s.pl.K)
		if s.rowWaits[t.i] > 0 || s.colWaits[t.j] > 0 {
			return
		}
	case Store:
		s.storeID[t.i] = id
		return
	}
	s.ready = append(s.ready, id)
}

// Next takes the ready task with the lowest number. It reports false when none
// is ready. Of a tile of more operations than share, what [Pace.Share] says, it takes a
// part, if the plan lets it be cut; see [Taper]. Of strips each is as large as share, but
// for what is held back, and the last one is what is left.
func (s *Schedule) Next(share float64) (id int, ok bool) {
	if len(s.ready) == 0 {
		return 0, false
	}
	id = int(s.ready[0])
	if s.Kind(id) == Multiply {
		switch {
		case s.whole[id]:
		case s.pl.cuts(), id >= s.pl.Tasks():
			if first, rest, ok := s.pl.cut(s.Rect(id), share); ok {
				return s.cut(id, first, rest), true
			}
		case s.pl.Strips() && !math.IsInf(share, 1):
			s.setRect(id, s.strip(share))
		}
		s.open -= s.Rect(id).Flops(s.pl.K)
	}
	heap.Pop(&s.ready)
	if s.held > 0 && s.taken == s.pl.Tasks() {
		s.release()
	}
	return id, true
}

// HoldBack keeps about so great a part of C back from the strips: its last columns, which
// are cut among those who end first. It must be called before Next, of a plan of strips.
// Too few columns to be worth it are not kept back; it reports whether any are.
func (s *Schedule) HoldBack(part float64) bool {
	units := int64(math.Round((1 - part) * float64(s.pl.N) / float64(s.pl.NR)))
	columns := s.pl.N - units*s.pl.NR
	room := s.pl.TileRows() > 1 || units >= int64(s.pl.Tasks())
	if room && columns >= heldColumns && (Problem{s.pl.M, columns, s.pl.K}).Flops() >= 2*s.pl.heldFlops() {
		s.held = columns
	}
	return s.held > 0
}

// release lets the columns that were held back be taken.
func (s *Schedule) release() {
	heap.Push(&s.ready, int32(s.add(0, Rect{0, s.pl.M, s.pl.N - s.held, s.pl.N})))
	s.held = 0
}

// cut makes of a ready tile, or of what is left of it, a part, which is taken, and a
// smaller rest.
func (s *Schedule) cut(id int, first, rest Rect) int {
	s.setRect(id, rest)
	s.open -= first.Flops(s.pl.K)
	return s.add(s.of(id), first)
}

// add makes a part of a task's tile and returns its number.
func (s *Schedule) add(of int, r Rect) int {
	s.parts = append(s.parts, part{of, r})
	s.left++
	s.tilesLeft[s.entry(of).i]++
	return s.pl.Tasks() + len(s.parts) - 1
}

// setRect notes what a task covers other than the plan says.
func (s *Schedule) setRect(id int, r Rect) {
	if n := s.pl.Tasks(); id >= n {
		s.parts[id-n].rect = r
		return
	}
	if s.rects == nil {
		s.rects = map[int]Rect{}
	}
	s.rects[id] = r
}

// strip takes the next strip of C: whole units, of so many operations as nearly as can
// be, that leave some to each strip that follows.
func (s *Schedule) strip(share float64) Rect {
	pl := s.pl
	r := Rect{0, pl.M, 0, pl.N - s.held}
	share *= float64(r.C1) / float64(pl.N)
	from, to, unit := &r.R0, &r.R1, pl.MR
	if pl.TileRows() == 1 {
		from, to, unit = &r.C0, &r.C1, pl.NR
	}
	*from = s.from
	s.taken++
	if follow := int64(pl.Tasks() - s.taken); follow > 0 {
		units := ceilDiv(*to-*from, unit)
		n := int64(math.Round(float64(units) * min(1, share/r.Flops(pl.K))))
		*to = *from + clamp(n, 1, units-follow)*unit
	}
	s.from = *to
	return r
}

// of returns the number of the task that a part belongs to.
func (s *Schedule) of(id int) int {
	if n := s.pl.Tasks(); id >= n {
		return s.parts[id-n].of
	}
	return id
}

func (s *Schedule) entry(id int) *entry { return &s.pl.tasks[s.of(id)] }

// Kind returns what a task does, or one that a part belongs to.
func (s *Schedule) Kind(id int) Kind { return s.entry(id).kind }

// Rect returns what a task covers, a part of one, or what is left of one; see
// [Plan.Rect].
func (s *Schedule) Rect(id int) Rect {
	if n := s.pl.Tasks(); id >= n {
		return s.parts[id-n].rect
	}
	if r, ok := s.rects[id]; ok {
		return r
	}
	return s.pl.Rect(id)
}

// Ready returns the number of tasks that are ready.
func (s *Schedule) Ready() int { return len(s.ready) }

// Left returns the number of tasks that are not done.
func (s *Schedule) Left() int { return s.left }

// Open returns the operations of the tiles that nobody has taken.
func (s *Schedule) Open() float64 { return s.open }

// Again makes a task that Next gave out, and that was not done, ready again.
func (s *Schedule) Again(id int) {
	heap.Push(&s.ready, int32(id))
	if s.Kind(id) != Multiply {
		return
	}
	s.open += s.Rect(id).Flops(s.pl.K)
	if s.whole == nil {
		s.whole = map[int]bool{}
	}
	s.whole[id] = true
}

// Done records that a task that Next gave out is done, and makes ready what
// waited for it. It must be called once per task.
func (s *Schedule) Done(id int) {
	s.left--
	t := *s.entry(id)
	switch t.kind {
	case PackA:
		s.packed(0, s.pl.GridA, t, s.pl.rows, s.rowArrived)
	case PackB:
		s.packed(1, s.pl.GridB, t, s.pl.cols, s.colArrived)
	case LoadC0:
		s.rowArrived(int(t.i))
	case Multiply:
		s.tilesLeft[t.i]--
		if s.tilesLeft[t.i] == 0 && s.pl.Params.Store {
			heap.Push(&s.ready, s.storeID[t.i])
		}
	}
}

// packed counts a PACK task; with the last one of its lane block the tiles
// that overlap the block have one thing less to wait for.
func (s *Schedule) packed(op int, g Grid, t entry, edge []int64, arrived func(int)) {
	s.depthsLeft[op][t.i]--
	if s.depthsLeft[op][t.i] > 0 {
		return
	}
	lo, hi := overlap(g.Block(int64(t.i), 0), edge)
	for i := lo; i < hi; i++ {
		arrived(i)
	}
}

func (s *Schedule) rowArrived(i int) {
	if s.rowWaits[i]--; s.rowWaits[i] > 0 {
		return
	}
	for j, w := range s.colWaits {
		if w == 0 {
			s.tileReady(i, j)
		}
	}
}

func (s *Schedule) colArrived(j int) {
	if s.colWaits[j]--; s.colWaits[j] > 0 {
		return
	}
	for i, w := range s.rowWaits {
		if w == 0 {
			s.tileReady(i, j)
		}
	}
}

func (s *Schedule) tileReady(i, j int) {
	heap.Push(&s.ready, s.tileID[i*s.pl.TileCols()+j])
}

// idHeap is a min-heap of task numbers.
type idHeap []int32

func (h idHeap) Len() int           { return len(h) }
func (h idHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h idHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *idHeap) Push(x any)        { *h = append(*h, x.(int32)) }
func (h *idHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
