package shmmat

import (
	"errors"
	"fmt"
	"math"

	"matmul/internal/sys"
)

// Region names a part of a segment. Each segment has its header and any
// subset of the others.
type Region uint8

// The regions, in the order in which they lie.
const (
	Header  Region = iota // what Attach validates; see header.go
	Control               // scoreboard, job records and mailboxes; see control_unsafe.go
	RowsA                 // A, B and C₀ as the caller stores them, where they are
	RowsB                 // handed over in memory instead of in files
	InitC                 // C₀ in the element type of C, row-major
	PanelsA               // op(A), α applied, in micro-panels
	PanelsB               // op(B) in micro-panels
	SumsA                 // the digests of A's panels; see gemm.Digests
	SumsB                 // the sums of B's panels; see gemm.Sums
	C                     // the result, row-major
	Kept                  // a matrix that its owner keeps from job to job, alone in a segment
	regions               // their number
)

var regionNames = [...]string{"header", "control", "A", "B", "C0", "A panels", "B panels", "A checksums", "B checksums", "C", "matrix"}

// String returns the region's name as messages show it.
func (r Region) String() string {
	if r >= regions {
		return fmt.Sprintf("region(%d)", uint8(r))
	}
	return regionNames[r]
}

// ErrLayout is returned when sizes do not make a layout, or a header does not
// describe one.
var ErrLayout = errors.New("bad segment layout")

// Extent is where a region lies: bytes from the start of the segment.
type Extent struct{ Off, Len int64 }

// Layout is where everything lies in a segment. It is drawn in doc.go.
type Layout struct {
	Size int64
	At   [regions]Extent // Len is 0 for a region that is absent
}

// Lengths are the bytes of each region; 0 for one that is absent. The header's
// is known.
type Lengths [regions]int64

// NewLayout places the regions with the given lengths. Each starts at
// a multiple of 2 MiB, with at least one page behind the one before it that
// belongs to nobody: the guard.
func NewLayout(length Lengths) (Layout, error) {
	var l Layout
	end := int64(0)
	for r := range regions {
		n := length[r]
		if r == Header {
			n = headerSize
		}
		if n < 0 || n > math.MaxInt64/4 || end > math.MaxInt64/4 {
			return Layout{}, fmt.Errorf("%w: %s of %d bytes", ErrLayout, r, n)
		}
		if n == 0 {
			continue
		}
		off := int64(0)
		if r != Header {
			off = alignUp(end+sys.PageSize, sys.HugePageSize)
		}
		l.At[r] = Extent{off, alignUp(n, sys.PageSize)}
		end = off + l.At[r].Len
	}
	l.Size = end
	return l, nil
}

// Bytes returns the memory that the regions take: the guards between them take
// none.
func (l Layout) Bytes() (n int64) {
	for _, e := range l.At {
		n += e.Len
	}
	return n
}

// Empty reports whether the segment would have no region but its header.
func (l Layout) Empty() bool { return l.Bytes() == l.At[Header].Len }

// check returns an error unless the layout is one that NewLayout makes.
func (l Layout) check() error {
	var length Lengths
	for r, e := range l.At {
		length[r] = e.Len
	}
	want, err := NewLayout(length)
	if err != nil {
		return err
	}
	if want != l {
		return fmt.Errorf("%w: regions are not where they belong", ErrLayout)
	}
	return nil
}

// find returns the region that holds the byte at off; ok is false in a guard.
func (l Layout) find(off int64) (r Region, ok bool) {
	for r, e := range l.At {
		if e.Off <= off && off < e.Off+e.Len {
			return Region(r), true
		}
	}
	return 0, false
}

func alignUp(n, a int64) int64 { return (n + a - 1) / a * a }
