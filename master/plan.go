package master

import (
	"fmt"
	"os"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/shmmat"
	"matmul/tiling"
)

// Operand is op(A), op(B) or C₀: what it looks like as the product uses it
// (m×k, k×n, m×n; a transposition is already in its Order), and where it lies.
// One in memory lies in its region of the data segment, in the element type of
// the job, and is there for the caller to fill before Run (see Elements), or in
// what is kept under the number Segment (see Pool.Keep). One in a file is read
// into its region, or into what is kept under Segment, from its start on: A and B
// as panels, which later jobs name as Packed, C₀ row-major. With ABFT their
// checksums follow the panels, if the job that packs them and the one that
// multiplies them both have it.
type Operand struct {
	shmmat.Matrix
	File   *os.File // nil for one in memory
	Packed bool     // in memory, in panels as gemm.Pack makes them, α applied
}

// panels reports whether workers find the operand in panels.
func (o Operand) panels() bool { return o.File != nil || o.Packed }

// Output is where C goes: a file, m×n row-major in the element type of the job
// from Offset on, a kept matrix, or both, one after the other. Without one, C
// stays in the segment (see Elements).
type Output struct {
	File   *os.File
	Offset int64
	LD     int64         // elements of File from one row to the next; 0: n
	Kept   shmmat.Matrix // m×n row-major, if its Segment is not 0; with a File its LD is n
	// Stored, unless nil, is told of each rectangle of C that has been written
	// to File, with the CRC-32C of its bytes. It is called by the goroutine that
	// drives the pool, must be quick, and must not use the pool.
	Stored func(r tiling.Rect, sum uint32)
}

// Spec is a job: C = α·op(A)·op(B) + β·C₀ as design.md section 2 defines it.
// C₀ is not looked at if Beta is 0, A and B are not if Alpha or k is.
type Spec struct {
	Type        elem.Type
	Alpha, Beta float64 // rounded to Type
	A, B, C0    Operand
	Out         Output
	Kept        []tiling.Rect // of C that Out.File holds already
	// ABFT lets workers check each tile before it counts as done (gemm.Checked). A
	// tile that fails is done again. Wrong, unless nil, is told of it, and is called
	// as Stored.
	ABFT     bool
	Wrong    func(Wrong)
	Priority uint8  // 0 (last) to 9 (first)
	Name     string // in traces
	// PackOnly leaves out the product: A and B are read into their panels, where
	// they come from files. Both are kept.
	PackOnly bool
	// Filled, unless nil, is told of each block of op(A) (PackA) or op(B)ᵀ (PackB)
	// that has been packed, with the CRC-32C of its panels. It is called as Stored.
	Filled func(k tiling.Kind, r tiling.Rect, sum uint32)

	Kernel       *gemm.Kernel
	Blocking     gemm.Blocking // zero: the kernel's own
	MaxScratch   int64         // bytes that a worker's tiles may take, unless their size is given; zero: as they suit the kernel
	TileM, TileN int64         // at most; zero: chosen for the problem
	ByColumns    bool          // order of the tiles; see tiling.Params
	Slice        int64         // elements that a PACK task reads; zero: a default
}

// defaultSlice is 2 MiB of float64: long enough for a disk, short enough for
// every worker to get some.
const defaultSlice = 256 << 10

// A Plan is a job cut to size, and the memory it needs. Making one takes no
// memory and reads no file.
type Plan struct {
	Spec // with the sizes that were chosen
	*tiling.Plan
	Layout shmmat.Layout // of the data segment
	Small  bool          // the master does a part of it, or all, itself
}

// NewPlan plans a job for a pool of so many workers. The errors say which
// shapes do not fit together, or wrap tiling.ErrTooLarge.
func NewPlan(s Spec, workers int) (*Plan, error) {
	pr := tiling.Problem{M: s.A.Rows, N: s.B.Cols, K: s.A.Cols}
	if err := s.fit(pr); err != nil {
		return nil, err
	}
	if s.Alpha == 0 {
		pr.K = 0
	}
	if err := pr.Check(); err != nil {
		return nil, err
	}
	s.Blocking = s.blocking()
	mr, nr := s.Units()
	small := s.small(pr)
	if small {
		workers = sharers(pr, workers)
	}
	shape := tiling.OfPanels
	switch {
	case !s.A.panels() && !s.B.panels():
		shape = tiling.OfStored
	case s.ABFT:
		shape = tiling.OfChecked
	}
	down, across := tiling.DefaultTiles(pr, shape, mr, nr, workers)
	for s.MaxScratch > 0 && s.scratch(tiling.Longest(pr.M, mr, down), tiling.Longest(pr.N, nr, across), pr.K) > s.MaxScratch && shape.Rows > mr {
		if shape.Rows /= 2; shape.Strip > 2*shape.Rows {
			shape.Strip /= 2
		}
		down, across = tiling.DefaultTiles(pr, shape, mr, nr, workers)
	}
	if s.TileM > 0 && s.TileN > 0 {
		down, across = tiling.Tiles(pr.M, s.TileM), tiling.Tiles(pr.N, s.TileN)
	}
	taper := tiling.TaperFor(workers, shape)
	taper.Free = s.TileM == 0 && s.TileN == 0 && s.MaxScratch == 0
	if s.Slice == 0 {
		s.Slice = defaultSlice
	}
	tp, err := tiling.New(tiling.Params{
		Problem: pr, MR: mr, NR: nr, Down: down, Across: across, Taper: taper, ByColumns: s.ByColumns, Slice: s.Slice,
		A:      tiling.Operand{Pack: pr.K > 0 && s.A.File != nil, Stored: stored(s.A, shmmat.RowMajor)},
		B:      tiling.Operand{Pack: pr.K > 0 && s.B.File != nil, Stored: stored(s.B, shmmat.ColMajor)},
		LoadC0: s.Beta != 0 && s.C0.File != nil, Store: s.Out.File != nil, Kept: s.Kept, PackOnly: s.PackOnly,
	})
	if err != nil {
		return nil, err
	}
	s.TileM, s.TileN = tp.TileSize()
	p := &Plan{Spec: s, Plan: tp, Small: small}
	p.Layout, err = p.layout()
	return p, err
}

// blocking returns the sizes that were given, or else the kernel's own.
func (s *Spec) blocking() gemm.Blocking {
	if s.Blocking == (gemm.Blocking{}) {
		return s.Kernel.Blocking
	}
	return s.Blocking
}

// Units returns the rows of A and the columns of B that stay together: those of a
// micro-panel, or the columns that share checksums, if there are checksums.
func (s *Spec) Units() (mr, nr int64) {
	if s.ABFT && s.B.panels() {
		return int64(s.Kernel.MR), int64(gemm.SumLanes(s.Kernel.NR))
	}
	return int64(s.Kernel.MR), int64(s.Kernel.NR)
}

// fit returns an error unless the operands fit together in a product.
func (s *Spec) fit(pr tiling.Problem) error {
	if s.B.Rows != pr.K {
		return fmt.Errorf("op(A) is %d×%d and op(B) is %d×%d: inner dimensions differ", s.A.Rows, s.A.Cols, s.B.Rows, s.B.Cols)
	}
	if s.Beta != 0 && (s.C0.Rows != pr.M || s.C0.Cols != pr.N) {
		return fmt.Errorf("C0 is %d×%d, C is %d×%d", s.C0.Rows, s.C0.Cols, pr.M, pr.N)
	}
	return nil
}

// stored says how an operand lies that is packed along lanes: rows of A, which
// are contiguous in RowMajor, or columns of B.
func stored(o Operand, lanes shmmat.Order) tiling.Storage {
	if o.Order == lanes {
		return tiling.LaneMajor
	}
	return tiling.DepthMajor
}

// layout sizes the regions of the data segment.
func (p *Plan) layout() (shmmat.Layout, error) {
	size := int64(p.Type.Size())
	var length shmmat.Lengths
	if p.Out.Kept.Segment == 0 && !p.PackOnly {
		length[shmmat.C] = p.M * p.N * size
	}
	if p.Beta != 0 && p.C0.Segment == 0 && !p.PackOnly {
		length[shmmat.InitC] = p.M * p.N * size
	}
	used := p.M > 0 && p.N > 0 && p.K > 0
	switch {
	case p.A.Segment != 0:
	case !p.A.panels():
		length[shmmat.RowsA] = p.A.Rows * p.A.Cols * size
	case used:
		length[shmmat.PanelsA] = int64(gemm.PanelLen(int(p.M), int(p.K), p.Kernel.MR)) * size
		if p.ABFT && p.A.File != nil {
			length[shmmat.SumsA], _ = gemm.CheckBytes(int(p.M), int(p.K), p.Kernel.MR, p.Type)
		}
	}
	switch {
	case p.B.Segment != 0:
	case !p.B.panels():
		length[shmmat.RowsB] = p.B.Rows * p.B.Cols * size
	case used:
		length[shmmat.PanelsB] = int64(gemm.PanelLen(int(p.N), int(p.K), p.Kernel.NR)) * size
		if p.ABFT && p.B.File != nil {
			_, length[shmmat.SumsB] = gemm.CheckBytes(int(p.N), int(p.K), p.Kernel.NR, p.Type)
		}
	}
	return shmmat.NewLayout(length)
}

// Scratch returns the bytes of private memory that each worker takes for its
// tiles, at most.
func (p *Plan) Scratch() int64 { return p.scratch(p.TileM, p.TileN, p.K) }

func (s *Spec) scratch(m, n, k int64) int64 {
	bytes := gemm.Scratch(s.Kernel, s.Blocking, int(m), int(n), int(k), s.A.panels(), s.B.panels())
	if s.ABFT {
		bytes += gemm.CheckScratch(s.Kernel, s.Blocking, int(m), int(n), int(k))
	}
	return bytes
}

// record returns what workers must know of the job.
func (p *Plan) record(id, data uint32) shmmat.Job {
	m := func(o Operand) shmmat.Matrix {
		o.InFile = o.File != nil
		return o.Matrix
	}
	c := p.Out.Kept
	if c.Segment == 0 {
		c = shmmat.Matrix{Rows: p.M, Cols: p.N, LD: p.N, Type: p.Type}
	}
	out := shmmat.Matrix{Rows: p.M, Cols: p.N, LD: max(p.Out.LD, p.N), Type: p.Type, Offset: p.Out.Offset, InFile: p.Out.File != nil}
	return shmmat.Job{
		ID: id, Data: data, Type: p.Type, ISA: uint8(p.Kernel.ISA), Priority: p.Priority,
		M: p.M, N: p.N, K: p.K, Alpha: p.Alpha, Beta: p.Beta,
		A: m(p.A), B: m(p.B).T(), C0: m(p.C0),
		C: c, Out: out,
		PackedA: p.A.panels(), PackedB: p.B.panels(), Sums: p.Out.Stored != nil, PackSums: p.Filled != nil, ABFT: p.ABFT,
		MC: int32(p.Blocking.MC), KC: int32(p.Blocking.KC), NC: int32(p.Blocking.NC),
	}
}

// files returns the announcement of the job's files, and whether there is any.
func (p *Plan) files(id uint32) (a announcement, ok bool) {
	a.m = shmmat.Message{Verb: shmmat.Files, Number: id}
	for _, f := range []struct {
		role shmmat.Role
		file *os.File
		used bool
	}{
		{shmmat.FileA, p.A.File, p.K > 0}, {shmmat.FileB, p.B.File, p.K > 0},
		{shmmat.FileC0, p.C0.File, p.Beta != 0}, {shmmat.FileOut, p.Out.File, true},
	} {
		if f.file != nil && f.used {
			a.m.Which = append(a.m.Which, f.role)
			a.files = append(a.files, f.file)
		}
	}
	return a, len(a.files) > 0
}
