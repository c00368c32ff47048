package shmmat

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"matmul/internal/sys"
)

// Access says what a view allows in a region.
type Access uint8

// The kinds of access. None leaves the region unmapped, or untouchable.
const (
	None Access = iota
	ReadOnly
	ReadWrite
)

// Rights is the access that a view has to each region.
type Rights [regions]Access

// All returns the same access to every region.
func All(write bool) (r Rights) {
	for i := range r {
		r[i] = ReadOnly
		if write {
			r[i] = ReadWrite
		}
	}
	return r
}

// PackRights is the view of PACK and LOAD tasks: they read what the caller
// stored and write the panels; C they do not see.
func PackRights() (r Rights) {
	r[RowsA], r[RowsB] = ReadOnly, ReadOnly
	r[InitC], r[PanelsA], r[PanelsB] = ReadWrite, ReadWrite, ReadWrite
	r[SumsA], r[SumsB] = ReadWrite, ReadWrite
	return r
}

// MultiplyRights is the view of MULTIPLY and STORE tasks: only C can be
// written.
func MultiplyRights() (r Rights) {
	r[RowsA], r[RowsB], r[InitC], r[PanelsA], r[PanelsB] = ReadOnly, ReadOnly, ReadOnly, ReadOnly, ReadOnly
	r[SumsA], r[SumsB] = ReadOnly, ReadOnly
	r[C] = ReadWrite
	return r
}

// KeptRights is the view of a matrix that its owner keeps: an operand, or, to
// be written, a result.
func KeptRights(write bool) (r Rights) {
	r[Kept] = ReadOnly
	if write {
		r[Kept] = ReadWrite
	}
	return r
}

// A View is a segment as one process sees it in one role.
type View struct {
	layout Layout
	rights Rights
	span   *sys.Range // nil for Heap
	heap   []byte
}

// Map makes a segment visible with the given rights, at an address that is a
// multiple of 2 MiB. What the rights leave out faults when it is touched,
// except in a Heap segment, which has no protection.
func (s *Segment) Map(rights Rights) (*View, error) {
	v := &View{layout: s.Layout, rights: rights, heap: s.heap}
	if s.Kind == Heap {
		return v, nil
	}
	span, err := sys.Reserve(s.Layout.Size)
	if err != nil {
		return nil, err
	}
	v.span = span
	if err := s.mapRegions(v); err != nil {
		span.Release()
		return nil, fmt.Errorf("map %s segment: %w", s.Kind, err)
	}
	return v, nil
}

func (s *Segment) mapRegions(v *View) error {
	if s.Kind == SysV {
		return s.attachRegions(v)
	}
	for r, e := range s.Layout.At {
		if e.Len == 0 || v.rights[r] == None {
			continue
		}
		if err := v.span.MapFile(s.file.Fd(), e.Off, e.Len, v.rights[r] == ReadWrite); err != nil {
			return fmt.Errorf("%s: %w", Region(r), err)
		}
	}
	return nil
}

// attachRegions maps a System V segment, which comes only as a whole, and then
// takes away what the view must not have.
func (s *Segment) attachRegions(v *View) error {
	if err := v.span.AttachSysV(s.id, true); err != nil {
		return err
	}
	end := int64(0)
	for r, e := range s.Layout.At {
		if e.Len == 0 {
			continue
		}
		if gap := e.Off - end; gap > 0 {
			if err := v.span.Protect(end, gap, true, false); err != nil {
				return err
			}
		}
		end = e.Off + e.Len
		if v.rights[r] == ReadWrite {
			continue
		}
		if err := v.span.Protect(e.Off, e.Len, v.rights[r] == None, false); err != nil {
			return err
		}
	}
	return nil
}

// Bytes returns the memory of a region, whole pages of it: nil if the segment
// does not have it. It is valid until Close. Asking for a region that the view
// has no access to is a caller's bug and panics.
func (v *View) Bytes(r Region) []byte {
	e := v.layout.At[r]
	if e.Len == 0 {
		return nil
	}
	if v.rights[r] == None {
		panic("shmmat: view has no access to " + r.String())
	}
	if v.span == nil {
		return v.heap[e.Off : e.Off+e.Len : e.Off+e.Len]
	}
	return v.span.Bytes(e.Off, e.Len)
}

// Find says in which region of the view, or behind which, an address lies. ok
// is false if it lies elsewhere.
func (v *View) Find(addr uintptr) (where string, ok bool) {
	if v.span == nil {
		return "", false
	}
	off, ok := v.span.Offset(addr)
	if !ok {
		return "", false
	}
	if r, ok := v.layout.find(off); ok {
		return fmt.Sprintf("%s + %d bytes", r, off-v.layout.At[r].Off), true
	}
	last := Header
	for r, e := range v.layout.At {
		if e.Len > 0 && e.Off < off {
			last = Region(r)
		}
	}
	return fmt.Sprintf("the guard behind %s", last), true
}

// populate makes the pages of a region present. Before Linux 5.14 it writes to
// each of them.
func (v *View) populate(e Extent) error {
	if e.Len == 0 || v.span == nil {
		return nil
	}
	if err := v.span.Populate(e.Off, e.Len, true); !errors.Is(err, unix.EINVAL) {
		return err
	}
	b := v.span.Bytes(e.Off, e.Len)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 0
	}
	return nil
}

// Settle prepares the view for memory that is used many times: it makes all
// pages present, so that no access faults, and asks for huge pages. It returns
// the bytes that are backed by them. Neither is needed for anything but speed,
// and where the kernel refuses, the view stays what it is.
func (v *View) Settle() (huge int64) {
	if v.span == nil {
		return 0
	}
	for r, e := range v.layout.At {
		if e.Len == 0 || v.rights[r] == None || v.span.Populate(e.Off, e.Len, v.rights[r] == ReadWrite) != nil {
			continue
		}
		if n := e.Len / sys.HugePageSize * sys.HugePageSize; n > 0 && v.span.Collapse(e.Off, n) == nil {
			huge += n
		}
	}
	return huge
}

// PopulateRest makes the small pages present that follow the huge ones of each region:
// all of a region that has no huge page. One call costs less than a fault for each of
// them, which takes a virtual machine ten microseconds.
func (v *View) PopulateRest() {
	if v.span == nil {
		return
	}
	for r, e := range v.layout.At {
		if rest := e.Len % sys.HugePageSize; rest > 0 && v.rights[r] != None {
			_ = v.span.Populate(e.Off+e.Len-rest, rest, v.rights[r] == ReadWrite) // it costs speed, no more
		}
	}
}

// Close unmaps the view. Slices of it are dangling afterwards.
func (v *View) Close() error {
	if v.span == nil {
		return nil
	}
	return v.span.Release()
}
