package shmmat

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"matmul/internal/sys"
)

// ErrUnavailable is returned by Create when this machine does not offer a kind
// of segment, or not of that size. The message says why.
var ErrUnavailable = errors.New("shared memory not available")

// A Segment is memory that the processes of a pool share. Create makes one,
// Attach joins one; Map makes it visible.
type Segment struct {
	Kind   Kind
	Layout Layout
	file   *os.File // Memfd, Posix, File
	id     int      // SysV
	keep   *View    // SysV: the attachment that keeps a removed segment alive
	heap   []byte   // Heap
	small  bool     // no huge pages are wanted
}

// Handle is what another process needs to attach: the size, and the System V
// id or the descriptor that comes along with the message.
type Handle struct {
	Kind Kind
	Size int64
	ID   int
}

// Create makes a segment with the given layout, all of its memory set aside:
// whoever touches it later cannot fault for want of memory. dir is where a
// segment of kind File lies. The errors are ErrUnavailable or ErrLayout.
//
// Nothing but the machine's memory, or its cgroup's, bounds a Memfd and a SysV
// segment: asking for more than that brings on the kernel's OOM killer, not an
// error. The caller looks at the limits first.
func Create(k Kind, l Layout, dir string) (*Segment, error) {
	return setAside(&Segment{Kind: k, Layout: l}, dir)
}

// CreateSmall is Create, except that it asks for no huge pages.
func CreateSmall(k Kind, l Layout, dir string) (*Segment, error) {
	return setAside(&Segment{Kind: k, Layout: l, small: true}, dir)
}

// setAside checks a segment's layout and takes its memory.
func setAside(s *Segment, dir string) (*Segment, error) {
	k, l := s.Kind, s.Layout
	if err := l.check(); err != nil {
		return nil, err
	}
	if err := s.create(dir); err != nil {
		s.Close()
		return nil, fmt.Errorf("%w: %s segment of %d bytes: %w", ErrUnavailable, k, l.Bytes(), err)
	}
	return s, nil
}

func (s *Segment) create(dir string) error {
	switch s.Kind {
	case Heap:
		s.heap = alignedBytes(s.Layout.Size)
		copy(s.heap, encodeHeader(s.Kind, s.Layout))
		return nil
	case SysV:
		return s.createSysV()
	}
	var err error
	switch s.Kind {
	case Memfd:
		s.file, err = sys.Memfd("matmul")
	case Posix:
		s.file, err = openUnnamed("/dev/shm")
	default:
		s.file, err = openUnnamed(dir)
	}
	if err != nil {
		return err
	}
	return s.allocateFile()
}

// openUnnamed opens a file in dir that has no name and goes with its last
// descriptor.
func openUnnamed(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
}

// allocateFile sizes the file, sets the regions' memory aside (the guards
// between them take none), writes the header and fixes the size.
func (s *Segment) allocateFile() error {
	if err := s.file.Truncate(s.Layout.Size); err != nil {
		return err
	}
	if s.Kind == Memfd && !s.small {
		// A posix segment that is too large must be refused before any of it
		// is taken, and a file on disk has no huge pages.
		s.allocateHuge()
	}
	for _, e := range s.Layout.At {
		if e.Len == 0 {
			continue
		}
		if err := fallocate(s.file, e); err != nil {
			return err
		}
	}
	if _, err := s.file.WriteAt(encodeHeader(s.Kind, s.Layout), 0); err != nil {
		return err
	}
	if s.Kind == Memfd {
		return sys.SealSize(s.file)
	}
	return nil
}

func fallocate(f *os.File, e Extent) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, e.Off, e.Len)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return os.NewSyscallError("fallocate", err)
		}
	}
}

// createSysV makes the segment and marks it for removal at once, while this
// process's attachment keeps it alive. A process killed between the two calls
// leaves it behind: ipcs -m shows it, ipcrm removes it.
func (s *Segment) createSysV() (err error) {
	if s.id, err = sys.SysVCreate(s.Layout.Size); err != nil {
		return err
	}
	s.keep, err = s.Map(All(true))
	if rmErr := s.removeSysV(); err == nil {
		err = rmErr
	}
	if err != nil {
		return err
	}
	for r, e := range s.Layout.At {
		if err := s.keep.populate(e); err != nil {
			return fmt.Errorf("%s: %w", Region(r), err)
		}
	}
	copy(s.keep.Bytes(Header), encodeHeader(s.Kind, s.Layout))
	return nil
}

// removeSysV marks the segment for removal. If that fails it is tried once more:
// a segment that is not marked stays for ever.
func (s *Segment) removeSysV() error {
	if sys.SysVRemove(s.id) == nil {
		return nil
	}
	if err := sys.SysVRemove(s.id); err != nil {
		return fmt.Errorf("%w; the segment is left: ipcrm -m %d", err, s.id)
	}
	return nil
}

// Handle returns what Attach needs in another process, and the descriptor to
// send along (nil for SysV).
func (s *Segment) Handle() (Handle, *os.File) {
	return Handle{Kind: s.Kind, Size: s.Layout.Size, ID: s.id}, s.file
}

// Attach joins a segment that another process created. It takes ownership of
// file. The header is validated before anything else is believed.
func Attach(h Handle, file *os.File) (*Segment, error) {
	s := &Segment{Kind: h.Kind, file: file, id: h.ID}
	if err := s.attach(h); err != nil {
		s.Close()
		return nil, fmt.Errorf("attach segment: %w", err)
	}
	return s, nil
}

func (s *Segment) attach(h Handle) error {
	if h.Size < headerSize {
		return fmt.Errorf("%w: %d bytes", ErrLayout, h.Size)
	}
	b := make([]byte, headerSize)
	switch {
	case h.Kind == SysV:
		if err := readSysV(b, h); err != nil {
			return err
		}
	case s.file == nil:
		return errors.New("no descriptor came with the handle")
	default:
		if _, err := s.file.ReadAt(b, 0); err != nil {
			return fmt.Errorf("read header: %w", err)
		}
	}
	k, l, err := decodeHeader(b, h.Size)
	if err != nil {
		return err
	}
	if k != h.Kind {
		return fmt.Errorf("%w: header says %s, handle says %s", ErrLayout, k, h.Kind)
	}
	s.Layout = l
	return nil
}

// readSysV copies the header out of a System V segment.
func readSysV(b []byte, h Handle) error {
	r, err := sys.Reserve(h.Size)
	if err != nil {
		return err
	}
	defer r.Release()
	if err := r.AttachSysV(h.ID, false); err != nil {
		return err
	}
	copy(b, r.Bytes(0, headerSize))
	return nil
}

// Close drops this process's hold on the segment. Views stay valid until they
// are closed themselves. The memory is free when every process that attached
// has closed its segment and its views, or ended.
func (s *Segment) Close() error {
	var err error
	if s.keep != nil {
		err = s.keep.Close()
		s.keep = nil
	}
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
		s.file = nil
	}
	return err
}
