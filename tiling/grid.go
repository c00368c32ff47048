package tiling

// A Grid cuts an operand into the blocks that PACK tasks read. Lanes are the
// rows of op(A) or the columns of op(B): what a micro-panel holds Width of.
// Depths run along k.
type Grid struct {
	Lanes, Depths       int64
	LaneStep, DepthStep int64 // of a block: multiples of Width and of checkDepths, unless one covers all
}

// checkDepths is the number of depths that share checksums (gemm.Digests), and so the
// least that a block has where there are as many: each panel then gets a contiguous run
// worth writing.
const checkDepths = 64

// newGrid cuts lanes×depths into blocks of about slice elements that are
// contiguous, or nearly so, in the file.
func newGrid(lanes, depths, width, slice int64, stored Storage) Grid {
	g := Grid{Lanes: lanes, Depths: depths, LaneStep: width, DepthStep: 1}
	if lanes == 0 || depths == 0 {
		return g
	}
	switch stored {
	case DepthMajor:
		g.DepthStep = min(max(slice/lanes/checkDepths, 1)*checkDepths, depths)
		g.LaneStep = roundUp(clamp(slice/g.DepthStep, 1, lanes), width)
	case LaneMajor:
		g.DepthStep = min(max(slice/width/checkDepths, 1)*checkDepths, depths)
		g.LaneStep = max(slice/depths/width, 1) * width
	}
	return g
}

// LaneBlocks returns the number of blocks along the lanes.
func (g Grid) LaneBlocks() int64 {
	if g.Depths == 0 {
		return 0
	}
	return ceilDiv(g.Lanes, g.LaneStep)
}

// DepthBlocks returns the number of blocks along k.
func (g Grid) DepthBlocks() int64 {
	if g.Lanes == 0 {
		return 0
	}
	return ceilDiv(g.Depths, g.DepthStep)
}

// Block returns the lanes (rows of the rectangle) and depths (its columns) of
// block (l, d).
func (g Grid) Block(l, d int64) Rect {
	return Rect{
		R0: l * g.LaneStep, R1: min((l+1)*g.LaneStep, g.Lanes),
		C0: d * g.DepthStep, C1: min((d+1)*g.DepthStep, g.Depths),
	}
}

// Rect is a half-open rectangle: rows [R0, R1) and columns [C0, C1).
type Rect struct{ R0, R1, C0, C1 int64 }

// Rows returns the number of rows.
func (r Rect) Rows() int64 { return r.R1 - r.R0 }

// Cols returns the number of columns.
func (r Rect) Cols() int64 { return r.C1 - r.C0 }

// Flops returns the operations of a tile over so much depth.
func (r Rect) Flops(k int64) float64 { return Problem{r.Rows(), r.Cols(), k}.Flops() }

// Inside reports whether r is a rectangle, perhaps empty, of a rows×cols one.
func (r Rect) Inside(rows, cols int64) bool {
	return 0 <= r.R0 && r.R0 <= r.R1 && r.R1 <= rows && 0 <= r.C0 && r.C0 <= r.C1 && r.C1 <= cols
}

func clamp(v, lo, hi int64) int64 { return min(max(v, lo), hi) }

// edges cuts [0, n) into count pieces of whole units, as equal as can be, or
// into single units if there are fewer; piece i is [e[i], e[i+1]).
func edges(n, unit, count int64) []int64 {
	units := ceilDiv(n, unit)
	count = clamp(count, 1, units)
	e := make([]int64, 0, count+1)
	size, longer := units/count, units%count // the first pieces are one unit longer
	for i, at := int64(0), int64(0); i < count; i++ {
		e = append(e, at*unit)
		if at += size; i < longer {
			at++
		}
	}
	return append(e, n)
}
