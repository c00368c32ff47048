package tiling

import "fmt"

// Kind says what a task does.
type Kind uint8

// The kinds of tasks of a job.
const (
	PackA    Kind = 1 + iota // read a block of op(A), write it into A's panels
	PackB                    // the same for op(B)
	LoadC0                   // read rows of C₀
	Multiply                 // compute a tile of C over the full k
	Store                    // write rows of C to the output file
)

var kindNames = [...]string{PackA: "pack A", PackB: "pack B", LoadC0: "load C0", Multiply: "multiply", Store: "store"}

// String returns the kind in words.
func (k Kind) String() string {
	if k < PackA || k > Store {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Storage says how an operand is stored, and so which blocks are good to read.
type Storage uint8

const (
	LaneMajor  Storage = iota // in a file, lane after lane: a slice fills whole panels
	DepthMajor                // in a file, depth after depth: a slice scatters over all panels
)

// Operand says how an operand reaches its panels.
type Operand struct {
	Pack   bool // false: nothing to do, the panels are not used or filled already
	Stored Storage
}

// Params is all that a Plan is made from.
type Params struct {
	Problem
	MR, NR       int64 // rows of A and columns of B that stay together: micro-panels, or groups of them
	Down, Across int64 // tiles down and across C, at most; see Tiles
	Taper        Taper // cuts the last tiles
	ByColumns    bool  // hand tiles out along columns of them, and not along rows
	Slice        int64 // elements that one PACK task reads, about
	A, B         Operand
	LoadC0       bool // C₀ is read by tasks
	Store        bool // C is written by tasks
	PackOnly     bool // operands are packed, and nothing is made of them
	// Kept are rectangles of C that are stored already, by another plan of the
	// same problem. Rows that they cover whole become no tile, nor does what only
	// those rows need become a task; of A's micro-panels that they cover in part,
	// all rows are computed.
	Kept []Rect
}

// maxTasks bounds the task table (about 30 bytes a task).
const maxTasks = 1 << 26

// Plan is a job cut into tasks. A task's number is its place in the order in
// which tasks should run: what is ready with the lowest number comes first.
type Plan struct {
	Params
	tileM, tileN int64 // rows and columns of the largest tile
	GridA, GridB Grid
	rows, cols   []int64 // edges of the tiles
	kept         []bool  // which rows of tiles are none, but kept; nil if none is
	tasks        []entry
	one          struct { // what they point to where there is one task: small jobs come by the million
		rows, cols [2]int64
		task       [1]entry
	}
}

// entry is one task: its kind and its place in the grid of its kind.
type entry struct {
	kind Kind
	i, j int32
}

// New cuts a problem into tasks.
func New(p Params) (*Plan, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if p.MR < 1 || p.NR < 1 || p.Down < 1 || p.Across < 1 || p.Slice < 1 {
		panic(fmt.Sprintf("tiling: sizes must be positive: %+v", p))
	}
	p.Down, p.Across = min(p.Down, ceilDiv(p.M, p.MR)), min(p.Across, ceilDiv(p.N, p.NR))
	pl := &Plan{Params: p}
	if p.M == 0 || p.N == 0 {
		return pl, nil // C is empty: there is nothing to do
	}
	if !p.PackOnly && p.Down*p.Across == 1 && !p.A.Pack && !p.B.Pack && !p.LoadC0 && !p.Store {
		pl.oneTile()
		return pl, nil
	}
	if !p.PackOnly {
		pl.tileM, pl.tileN = largest(p.M, p.MR, p.Down), largest(p.N, p.NR, p.Across)
	}
	if p.A.Pack {
		pl.GridA = newGrid(p.M, p.K, p.MR, p.Slice, p.A.Stored)
	}
	if p.B.Pack {
		pl.GridB = newGrid(p.N, p.K, p.NR, p.Slice, p.B.Stored)
	}
	if err := pl.countable(); err != nil {
		return nil, err
	}
	if p.PackOnly {
		pl.packWhole(PackB, pl.GridB, p.B.Stored == DepthMajor)
		pl.packWhole(PackA, pl.GridA, p.A.Stored == DepthMajor)
		return pl, nil
	}
	pl.rows, pl.cols = edges(p.M, p.MR, p.Down), edges(p.N, p.NR, p.Across)
	if len(p.Kept) > 0 {
		pl.cutRows()
	}
	pl.order()
	return pl, nil
}

// oneTile makes the plan of a job that is one tile and nothing else.
func (pl *Plan) oneTile() {
	pl.tileM, pl.tileN = pl.M, pl.N
	o := &pl.one
	o.rows[1], o.cols[1], o.task[0].kind = pl.M, pl.N, Multiply
	pl.rows, pl.cols, pl.tasks = o.rows[:], o.cols[:], o.task[:]
}

// largest returns the length of the longest piece that edges makes.
func largest(n, unit, count int64) int64 { return min(n, ceilDiv(ceilDiv(n, unit), count)*unit) }

// countable returns an error if there would be more tasks than a table holds.
func (pl *Plan) countable() error {
	down := pl.Down + 2*int64(len(pl.Kept)) + 1
	sum := 2 * down
	for _, v := range [][2]int64{
		{down, pl.Across + 2},
		{pl.blocks(pl.GridA, 0), pl.blocks(pl.GridA, 1)},
		{pl.blocks(pl.GridB, 0), pl.blocks(pl.GridB, 1)},
	} {
		n, ok := Mul(v[0], v[1])
		if sum += n; !ok || n > maxTasks || sum > maxTasks {
			return fmt.Errorf("%w: tiles of %d×%d cut %d×%d×%d into more than %d tasks",
				ErrTooLarge, pl.tileM, pl.tileN, pl.M, pl.N, pl.K, maxTasks)
		}
	}
	return nil
}

// blocks returns the number of blocks of g along dimension dim; none for an
// operand that is not packed.
func (pl *Plan) blocks(g Grid, dim int) int64 {
	if g.LaneStep == 0 {
		return 0
	}
	if dim == 0 {
		return g.LaneBlocks()
	}
	return g.DepthBlocks()
}

// Tasks returns the number of tasks.
func (pl *Plan) Tasks() int { return len(pl.tasks) }

// Kind returns what task id does.
func (pl *Plan) Kind(id int) Kind { return pl.tasks[id].kind }

// Rect returns what task id covers: lanes × depths of the operand for PackA
// and PackB, rows × columns of C for the others.
func (pl *Plan) Rect(id int) Rect {
	t := pl.tasks[id]
	switch t.kind {
	case PackA:
		return pl.GridA.Block(int64(t.i), int64(t.j))
	case PackB:
		return pl.GridB.Block(int64(t.i), int64(t.j))
	case Multiply:
		return pl.tile(t)
	}
	return Rect{pl.rows[t.i], pl.rows[t.i+1], 0, pl.N}
}

// tile returns the tile of a MULTIPLY task.
func (pl *Plan) tile(t entry) Rect {
	return Rect{pl.rows[t.i], pl.rows[t.i+1], pl.cols[t.j], pl.cols[t.j+1]}
}

// TileSize returns the rows and columns of the largest tile.
func (pl *Plan) TileSize() (m, n int64) { return pl.tileM, pl.tileN }

// TileRows returns the number of tiles down C.
func (pl *Plan) TileRows() int { return max(len(pl.rows)-1, 0) }

// TileCols returns the number of tiles across C.
func (pl *Plan) TileCols() int { return max(len(pl.cols)-1, 0) }
