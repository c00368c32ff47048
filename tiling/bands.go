package tiling

import (
	"fmt"
	"iter"
)

// Limits of the smallest bands that are worth computing with: smaller ones read
// more than they compute.
const (
	leastSide  = 128 // rows and columns of C, of the larger problem
	leastDepth = 128 // of a chunk of k
	mostSteps  = 1 << 20
)

// BandParams is what bands are chosen from.
type BandParams struct {
	Problem
	MR, NR    int64 // see Params
	Checksums bool  // there are checksums: see ChecksumsA and ChecksumsB
	Size      int64 // bytes of an element in memory
	// ReadA, ReadB and ReadC0 are the bytes of an element in the files; ReadC0 is 0
	// if there is no C₀.
	ReadA, ReadB, ReadC0 int64
	Memory               int64 // bytes for panels, C₀ and C, at most
}

// Bands is a product done in steps, since its panels and C do not fit into
// memory together. C is cut into super-tiles. For each of them a band of A, its
// rows, and a band of B, its columns, are packed, in chunks of k if whole bands
// are too large; each chunk goes on with the sums of the one before. From one
// super-tile to the next, one of the bands stays where it is. So
//
//	A stays        A is read once, B once for each band of A
//	B stays        the other way round
//	neither (k in chunks)  A is read once for each band of B, B for each of A
//
// The super-tiles go back and forth, so that at each turn the other band stays.
type Bands struct {
	BandParams
	Height, Width, Depth int64 // of a super-tile and of a chunk of k, at most
	ByColumns            bool  // B's band stays, and not A's
	// SlotsA and SlotsB are the bands that are in memory at a time: 2 where the
	// next one is read while this one is used.
	SlotsA, SlotsB int64
}

// A Step is a super-tile of C and a chunk of k.
type Step struct {
	C            Rect
	K0, K1       int64
	First, Last  bool  // chunk of k
	LoadA, LoadB bool  // the band is not in memory yet
	SlotA, SlotB int   // where it is, or goes
	A, B         int64 // numbers of the bands' chunks: what is read again has the same
}

// NewBands returns the bands that read least and fit. The error is ErrTooLarge
// if not even the smallest fit.
func NewBands(p BandParams) (*Bands, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	var best *Bands
	var least float64
	consider := func(b *Bands) {
		if b.Count() > mostSteps {
			return
		}
		read, steps := b.approximateRead(), b.Count()
		// Of those that read about the same, the one with the larger steps.
		if best == nil || read < 0.99*least || read < 1.01*least && steps < best.Count() {
			best, least = b, read
		}
	}
	if p.Memory >= p.Least() {
		p.staying(false, consider)
		p.staying(true, consider)
		p.chunked(consider)
	}
	if best == nil {
		return nil, fmt.Errorf("%w: %d×%d×%d in bands of %d bytes", ErrTooLarge, p.M, p.N, p.K, p.Memory)
	}
	return best, nil
}

// Least returns the least memory that bands are made for: super-tiles and chunks
// are not cut smaller on all sides than is worth computing with.
func (p BandParams) Least() int64 {
	b := p.smallest()
	return b.Bytes()
}

func (p BandParams) smallest() Bands {
	return Bands{BandParams: p, Height: min(p.M, roundUp(leastSide, p.MR)), Width: min(p.N, roundUp(leastSide, p.NR)),
		Depth: min(p.K, leastDepth), SlotsA: 2, SlotsB: 2}
}

// staying considers bands of the whole k, of which A's stay, or B's.
func (p BandParams) staying(byColumns bool, consider func(*Bands)) {
	stay, pass := p.M, p.N
	stayUnit, passUnit := p.MR, p.NR
	if byColumns {
		stay, pass, stayUnit, passUnit = pass, stay, passUnit, stayUnit
	}
	cut := func(count, width int64) *Bands {
		b := &Bands{BandParams: p, Height: Longest(stay, stayUnit, count), Width: width, Depth: p.K, ByColumns: byColumns, SlotsA: 1, SlotsB: 2}
		if byColumns {
			b.Height, b.Width, b.SlotsA, b.SlotsB = b.Width, b.Height, 2, 1
		}
		return b
	}
	// The widest band that passes by and fits beside so many that stay.
	widest := func(count int64) (*Bands, bool) {
		lo, hi := int64(0), ceilDiv(pass, passUnit)
		for lo < hi {
			mid := (lo + hi + 1) / 2
			if cut(count, min(mid*passUnit, pass)).Bytes() <= p.Memory {
				lo = mid
			} else {
				hi = mid - 1
			}
		}
		if lo == 0 {
			return nil, false
		}
		return cut(count, Longest(pass, passUnit, ceilDiv(ceilDiv(pass, passUnit), lo))), true
	}
	first, end := int64(1), ceilDiv(stay, stayUnit)+1
	for first < end {
		mid := (first + end) / 2
		if _, ok := widest(mid); ok {
			end = mid
		} else {
			first = mid + 1
		}
	}
	for count := first; count < first+4; count++ {
		if b, ok := widest(count); ok && p.K > 0 {
			consider(b)
		}
	}
}

// chunked considers super-tiles whose k is done in chunks.
func (p BandParams) chunked(consider func(*Bands)) {
	small := p.smallest()
	cut := func(down, across int64) *Bands {
		b := small
		b.Height, b.Width = Longest(p.M, p.MR, down), Longest(p.N, p.NR, across)
		return &b
	}
	for down := int64(1); down <= ceilDiv(p.M, small.Height); down += 1 + down/64 {
		lo, hi := int64(1), ceilDiv(p.N, small.Width)
		for lo < hi {
			mid := (lo + hi) / 2
			if cut(down, mid).Bytes() <= p.Memory {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		b := cut(down, lo)
		if b.Bytes() > p.Memory {
			continue
		}
		if p.K > 0 {
			unit := *b
			unit.Depth = checkDepths
			steps := 2 * (unit.PanelsA() + unit.ChecksumsA() + unit.PanelsB() + unit.ChecksumsB()) // bytes of so many steps of k
			left := p.Memory - b.Bytes() - 2*(unit.ChecksumsA()+unit.ChecksumsB())
			b.Depth = clamp(b.Depth+max(left, 0)*checkDepths/steps, 1, p.K)
			b.Depth = ceilDiv(p.K, ceilDiv(p.K, b.Depth))
		}
		consider(b)
	}
}

// Longest returns the length of the longest of count pieces of whole units.
func Longest(n, unit, count int64) int64 {
	return largest(n, unit, max(1, min(count, ceilDiv(n, unit))))
}

// Down returns the number of bands of A.
func (b *Bands) Down() int64 { return pieces(b.M, b.Height) }

// Across returns the number of bands of B.
func (b *Bands) Across() int64 { return pieces(b.N, b.Width) }

// Chunks returns the number of chunks of k.
func (b *Bands) Chunks() int64 { return max(pieces(b.K, b.Depth), 1) }

// pieces returns into how many pieces of at most size a length is cut.
func pieces(length, size int64) int64 {
	if size == 0 {
		return 0
	}
	return ceilDiv(length, size)
}

// Count returns the number of steps.
func (b *Bands) Count() int64 {
	n, ok := Mul(b.Down(), b.Across())
	if ok {
		n, ok = Mul(n, b.Chunks())
	}
	if !ok {
		return mostSteps + 1
	}
	return n
}

// PanelsA returns the bytes of one band of A, or of a chunk of it.
func (b *Bands) PanelsA() int64 { return roundUp(b.Height, b.MR) * b.Depth * b.Size }

// PanelsB returns the bytes of one band of B, or of a chunk of it.
func (b *Bands) PanelsB() int64 { return roundUp(b.Width, b.NR) * b.Depth * b.Size }

// ChecksumsA returns the bytes of the checksums of one band of A, or of a chunk
// of it: eight for checkDepths depths of each row.
func (b *Bands) ChecksumsA() int64 {
	if !b.Checksums {
		return 0
	}
	return 8 * roundUp(b.Height, b.MR) * ceilDiv(b.Depth, checkDepths)
}

// ChecksumsB returns the bytes of the checksums of one band of B, or of a chunk
// of it: an element for NR columns at each depth.
func (b *Bands) ChecksumsB() int64 {
	if !b.Checksums {
		return 0
	}
	return ceilDiv(b.Width, b.NR) * roundUp(b.Depth, checkDepths) * b.Size
}

// Sums returns the bytes of a super-tile of C.
func (b *Bands) Sums() int64 { return b.Height * b.Width * b.Size }

// SlotsC returns how many super-tiles are in memory: 2 where one is computed
// from another, which is a chunk of k less, or C₀.
func (b *Bands) SlotsC() int64 {
	if b.Chunks() > 1 || b.ReadC0 > 0 {
		return 2
	}
	return 1
}

// Bytes returns the memory that the bands take.
func (b *Bands) Bytes() int64 {
	return b.SlotsA*(b.PanelsA()+b.ChecksumsA()) + b.SlotsB*(b.PanelsB()+b.ChecksumsB()) + b.SlotsC()*b.Sums()
}

// approximateRead returns about how many bytes are read.
func (b *Bands) approximateRead() float64 {
	down, across := float64(b.Down()), float64(b.Across())
	timesA, timesB := across, down
	switch {
	case b.Chunks() > 1:
	case b.ByColumns:
		timesA, timesB = across-(across-1)/down, 1
	default:
		timesA, timesB = 1, down-(down-1)/across
	}
	m, n, k := float64(b.M), float64(b.N), float64(b.K)
	return m*k*float64(b.ReadA)*timesA + n*k*float64(b.ReadB)*timesB
}

// Steps returns the steps in order, without the super-tiles that skip, unless it
// is nil, reports.
func (b *Bands) Steps(skip func(Rect) bool) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		last := Step{A: -1, B: -1}
		for c := range b.superTiles() {
			if skip != nil && skip(b.rect(c)) {
				continue
			}
			for q := range b.Chunks() {
				s := Step{C: b.rect(c), K0: q * b.Depth, K1: min((q+1)*b.Depth, b.K),
					First: q == 0, Last: q == b.Chunks()-1, A: c[0]*b.Chunks() + q, B: c[1]*b.Chunks() + q}
				s.LoadA, s.LoadB = b.K > 0 && s.A != last.A, b.K > 0 && s.B != last.B
				s.SlotA, s.SlotB = next(last.SlotA, s.LoadA, b.SlotsA), next(last.SlotB, s.LoadB, b.SlotsB)
				if !yield(s) {
					return
				}
				last = s
			}
		}
	}
}

// Beside reports whether a step's bands can be read while the one before it
// uses its own.
func (s Step) Beside(before Step) bool {
	return (!s.LoadA || s.SlotA != before.SlotA) && (!s.LoadB || s.SlotB != before.SlotB)
}

// next returns the slot of a band: the one after the last if it is loaded.
func next(slot int, load bool, slots int64) int {
	if load {
		return (slot + 1) % int(slots)
	}
	return slot
}

// superTiles returns the places of the super-tiles, rows and columns of them,
// back and forth along those that share the band that stays.
func (b *Bands) superTiles() iter.Seq[[2]int64] {
	outer, inner := b.Down(), b.Across()
	if b.ByColumns {
		outer, inner = inner, outer
	}
	return func(yield func([2]int64) bool) {
		for i := range outer {
			for j := range inner {
				if i%2 == 1 {
					j = inner - 1 - j
				}
				c := [2]int64{i, j}
				if b.ByColumns {
					c = [2]int64{j, i}
				}
				if !yield(c) {
					return
				}
			}
		}
	}
}

// rect returns the rows and columns of a super-tile.
func (b *Bands) rect(c [2]int64) Rect {
	return Rect{R0: c[0] * b.Height, R1: min((c[0]+1)*b.Height, b.M), C0: c[1] * b.Width, C1: min((c[1]+1)*b.Width, b.N)}
}

// A Traffic is what steps read of the inputs and write, in bytes and elements.
type Traffic struct {
	A, B, C0, C int64 // bytes
	Elements    int64 // of all
}

// Traffic returns what the steps read and write.
func (b *Bands) Traffic(skip func(Rect) bool) (t Traffic) {
	for s := range b.Steps(skip) {
		k, c := s.K1-s.K0, s.C.Rows()*s.C.Cols()
		move := func(bytes *int64, elements, size int64) {
			*bytes += elements * size
			t.Elements += elements
		}
		if s.LoadA {
			move(&t.A, s.C.Rows()*k, b.ReadA)
		}
		if s.LoadB {
			move(&t.B, s.C.Cols()*k, b.ReadB)
		}
		if s.First && b.ReadC0 > 0 {
			move(&t.C0, c, b.ReadC0)
		}
		if s.Last {
			move(&t.C, c, b.Size)
		}
	}
	return t
}
