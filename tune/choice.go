package tune

import (
	"fmt"
	"strings"
	"time"

	"matmul/internal/gemm"
	"matmul/tiling"
)

// Orders in which the tiles of C are handed out: along rows of tiles, back and
// forth, or along columns.
const (
	ByRows    = "rows"
	ByColumns = "columns"
)

// A Choice is everything that a tuner may choose for a product. No choice
// changes a bit of it. Sizes are in elements; a zero size stands for what is
// chosen where nobody tunes. Choices are comparable.
type Choice struct {
	// ISA names the instruction set of the kernel.
	ISA string `json:"isa"`
	// MC, KC and NC are the macro-kernel's blocks: see [gemm.Blocking].
	MC int `json:"mc"`
	KC int `json:"kc"`
	NC int `json:"nc"`
	// TileM and TileN are the rows and columns of a task's tile of C, at most.
	// A tile that would leave workers idle is made smaller: see [Choice.Tile].
	TileM int64 `json:"tile_m"`
	TileN int64 `json:"tile_n"`
	// Tasks is how many tiles each worker gets, where TileM and TileN are 0.
	Tasks int `json:"tasks_per_worker"`
	// Order is ByRows or ByColumns.
	Order string `json:"order"`
	// HugePages says whether the segment asks for huge pages.
	HugePages bool `json:"huge_pages"`
	// Spin is how long an idle process looks for news before it sleeps.
	Spin time.Duration `json:"spin_ns"`
}

// DefaultSpin is how long idle processes look for work before they sleep.
const DefaultSpin = 50 * time.Microsecond

// Untuned returns what is chosen for a kernel where nobody tunes: see
// [FamilyBlocking].
func Untuned(k *gemm.Kernel, share CacheSizes) Choice {
	b, _ := FamilyBlocking(k, share)
	return Choice{ISA: k.ISA.String(), MC: b.MC, KC: b.KC, NC: b.NC, Order: ByRows, HugePages: true, Spin: DefaultSpin}
}

// Blocking returns the sizes of the macro-kernel's blocks.
func (c Choice) Blocking() gemm.Blocking { return gemm.Blocking{MC: c.MC, KC: c.KC, NC: c.NC} }

// Bounds of what is believed of a choice that was stored. They leave room for
// caches ten times as large as today's, and bound the memory of a worker.
const (
	maxBlock     = 1 << 14
	minTile      = 32
	maxTile      = 1 << 15
	maxTasks     = 1 << 10
	maxSpin      = 10 * time.Millisecond
	maxWorkspace = 1 << 28 // bytes of a worker's scratch: its sums, and its blocks of A and B
)

// Check returns an error unless a kernel can work with the choice, in a sane
// amount of memory.
func (c Choice) Check(k *gemm.Kernel) error {
	switch {
	case c.ISA != k.ISA.String():
		return fmt.Errorf("instruction set %q, want %s", c.ISA, k.ISA)
	case c.MC < k.MR || c.KC < 1 || c.NC < k.NR || c.MC > maxBlock || c.KC > maxBlock || c.NC > maxBlock:
		return fmt.Errorf("blocks MC %d, KC %d, NC %d: want %d, 1 and %d to %d", c.MC, c.KC, c.NC, k.MR, k.NR, maxBlock)
	case (c.TileM == 0) != (c.TileN == 0) || c.TileM != 0 && (min(c.TileM, c.TileN) < minTile || max(c.TileM, c.TileN) > maxTile):
		return fmt.Errorf("tile %d×%d: want sides of %d to %d", c.TileM, c.TileN, minTile, maxTile)
	case c.Tasks < 0 || c.Tasks > maxTasks:
		return fmt.Errorf("%d tasks per worker: want 0 to %d", c.Tasks, maxTasks)
	case c.Order != ByRows && c.Order != ByColumns:
		return fmt.Errorf("order %q: want %s or %s", c.Order, ByRows, ByColumns)
	case c.Spin < 0 || c.Spin > maxSpin:
		return fmt.Errorf("spin of %v: want 0 to %v", c.Spin, maxSpin)
	case c.workspace(k) > maxWorkspace:
		return fmt.Errorf("blocks and tile want %s of scratch: at most %s", FormatBytes(c.workspace(k)), FormatBytes(maxWorkspace))
	}
	return nil
}

// workspace returns the bytes that a worker takes for its sums and blocks, at
// most: as gemm.Workspace does.
func (c Choice) workspace(k *gemm.Kernel) int64 {
	width := c.TileN
	if width == 0 {
		width = 2048 // what tiling.DefaultTiles cuts C into at most
	}
	mc, kc, nc := int64(c.MC), int64(c.KC), int64(c.NC)
	return (mc*width + mc*kc + kc*nc) * int64(k.Type.Size())
}

// Tile returns the rows and columns of a tile of C for a problem, 0 and 0 for
// what is chosen where nobody tunes. A tile that would leave workers without
// one is cut to their number, rows of C first.
func (c Choice) Tile(p tiling.Problem, k *gemm.Kernel, workers int) (m, n int64) {
	if c.TileM == 0 && c.Tasks == 0 || p.M <= 0 || p.N <= 0 {
		return 0, 0
	}
	mr, nr, w := int64(k.MR), int64(k.NR), int64(workers)
	m, n = c.TileM, c.TileN
	if m == 0 {
		// A worker keeps its rows of C, and cuts them as long as they stay
		// longer than a few micro-panels; then it cuts its columns.
		down := min(int64(c.Tasks), max(1, p.M/w/leastHeight))
		m, n = ceilDiv(p.M, w*down), ceilDiv(p.N, ceilDiv(int64(c.Tasks), down))
	}
	m, n = roundUp(min(m, p.M), mr), roundUp(min(n, p.N), nr)
	if tiling.Tiles(p.M, m)*tiling.Tiles(p.N, n) >= w {
		return m, n
	}
	m = min(m, roundUp(ceilDiv(p.M, w), mr))
	if down := tiling.Tiles(p.M, m); down < w {
		n = min(n, roundUp(ceilDiv(p.N, ceilDiv(w, down)), nr))
	}
	return m, n
}

// leastHeight is the rows that a tile keeps when tasks per worker are wanted:
// see the figures on splitting rows in docs/tried.md.
const leastHeight = 256

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

func roundUp(a, b int64) int64 { return ceilDiv(a, b) * b }

// String describes the choice in a line, leaving out what is usual.
func (c Choice) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s MC %d KC %d NC %d", c.ISA, c.MC, c.KC, c.NC)
	if c.TileM > 0 {
		fmt.Fprintf(&s, " tile %d×%d", c.TileM, c.TileN)
	} else if c.Tasks > 0 {
		fmt.Fprintf(&s, " %d tasks/worker", c.Tasks)
	}
	if c.Order == ByColumns {
		s.WriteString(" by columns")
	}
	if !c.HugePages {
		s.WriteString(" small pages")
	}
	if c.Spin != DefaultSpin {
		fmt.Fprintf(&s, " spin %v", c.Spin)
	}
	return s.String()
}
