package matfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// A File is a matrix file open for reading. Reading it by [Read] or by its
// descriptor does not move its position, so any number of goroutines and
// processes may do it at once.
type File struct {
	Info
	*os.File          // what holds the elements: what was named, or a copy of it
	origin   *os.File // what was named, if the elements lie in a copy; else nil
	path     string   // of what was named; "" for a stream, which nobody can look at again
	start    int64    // of the header, in what was named
	opened   identity // of what was named, as it was when the header was read
}

// Open opens the .npy file at path and checks its header against its size.
// The caller closes it. A file that cannot be used is an [*Error]. An [Opener]
// opens other formats, too.
func Open(path string) (*File, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	m, err := settled(path, f, func(st fs.FileInfo, _ bool) (*File, error) { return look(path, f, st) })
	if err != nil {
		f.Close()
		return nil, nameError(err, path)
	}
	return m, nil
}

// openRegular opens a file, which [settled] wants to be a regular one.
func openRegular(path string) (*os.File, error) {
	// A pipe without a writer would block the open for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	return f, nil
}

// look returns the .npy file that f is when st is what is known of it.
func look(path string, f *os.File, st fs.FileInfo) (*File, error) {
	in, err := Parse(bufio.NewReader(io.NewSectionReader(f, 0, st.Size())))
	if err != nil {
		return nil, err
	}
	in.Path = path
	m := &File{Info: in, File: f, path: path, opened: identify(st)}
	return m, m.checkSize(st.Size())
}

// nameError gives an [*Error] that names no file the name of one.
func nameError(err error, path string) error {
	var e *Error
	if errors.As(err, &e) && e.Path == "" {
		e.Path = path
	}
	return err
}

// named returns what was named: the elements may lie in a copy of it.
func (f *File) named() *os.File {
	if f.origin != nil {
		return f.origin
	}
	return f.File
}

// Copied returns the bytes of the copy that holds the elements, 0 if they are
// read where they were named.
func (f *File) Copied() int64 {
	if f.origin == nil {
		return 0
	}
	return f.DataSize()
}

// Close closes the file.
func (f *File) Close() error {
	if f.origin != nil {
		f.origin.Close()
	}
	return f.File.Close()
}

// A file system counts its times in ticks of 10 ms at most, as a rule. A file
// that was changed within the last one could change once more and look the
// same.
const (
	tick      = 12 * time.Millisecond
	mostTicks = 8
)

// errFresh says that a file was changed within the last tick, and is not worth
// more work before that is over.
var errFresh = errors.New("the file has just been changed")

// settled returns what look makes of a regular file whose last change is at least
// a tick ago, so that the next one shows in its times. It looks at a fresh file,
// too, and again later, unless it cannot be used: that is not waited for. Nor is a
// file that is written to all the time: that will show, too.
func settled(path string, f *os.File, look func(st fs.FileInfo, fresh bool) (*File, error)) (*File, error) {
	for tries := 1; ; tries++ {
		st, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", printable(path), bare(err))
		}
		if !st.Mode().IsRegular() {
			return nil, &Error{Path: path, Problem: "is " + kindOfFile(st.Mode()), Want: "a regular file"}
		}
		age := time.Since(identify(st).changed())
		fresh := age >= 0 && age < tick && tries < mostTicks
		m, err := look(st, fresh)
		if !fresh || err != nil && !errors.Is(err, errFresh) {
			return m, err
		}
		time.Sleep(tick - age)
	}
}

// checkSize compares the size of the file with what its header describes.
func (f *File) checkSize(size int64) error {
	want := f.Offset + f.DataSize()
	e := &Error{Path: f.Path, Want: fmt.Sprintf("%d (%s)", want, f.described())}
	switch {
	case size < want:
		e.Problem = fmt.Sprintf("is truncated: it has %d bytes", size)
		e.Advice = "write or copy it again"
	case size > want:
		e.Problem = fmt.Sprintf("goes on after its matrix: it has %d bytes", size)
		e.Advice = "cut it, or save each array to its own file"
	default:
		return nil
	}
	return e
}

// described says what the file has to have.
func (f *File) described() string {
	if f.Offset == 0 {
		return fmt.Sprintf("%s of %s", f.Shape(), f.Elem)
	}
	return fmt.Sprintf("%d of header, then %s of %s", f.Offset, f.Shape(), f.Elem)
}

// Changed returns an [*Error] if the file is not what it was at [Open]: if its
// size or times differ, or its name now means another file. Times that were
// forged go unnoticed. Of a stream nothing can change: it was copied.
func (f *File) Changed() error {
	if f.path == "" {
		return nil
	}
	st, err := f.named().Stat()
	if err != nil {
		return fmt.Errorf("stat %s: %w", printable(f.Path), bare(err))
	}
	now := identify(st)
	if what := f.opened.rewritten(now); what != "" {
		return f.changedError(what)
	}
	named, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.changedError("removed")
	case err != nil:
		return fmt.Errorf("stat %s: %w", printable(f.Path), bare(err))
	case !f.opened.sameFile(identify(named)):
		return f.changedError("replaced by another file")
	case f.opened.ctime != now.ctime:
		return f.changedError("modified or moved")
	}
	return nil
}

func (f *File) changedError(what string) error {
	return &Error{Path: f.Path, Problem: "was " + what + " while it was in use",
		Advice: "run again when nothing writes to it"}
}

// openError turns what the user can put right into an [*Error].
func openError(path string, err error) error {
	e := &Error{Path: path, Err: err}
	switch {
	case path == "":
		e.Problem, e.Want = "the file name is empty", "the path of an .npy file"
	case errors.Is(err, fs.ErrNotExist):
		e.Problem = "does not exist"
	case errors.Is(err, fs.ErrPermission):
		e.Problem, e.Advice = "may not be read", "check its permissions"
	case errors.Is(err, syscall.ENXIO):
		e.Problem, e.Want = "is a socket", "a regular file"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		e.Problem = "cannot be opened: " + reason(err)
	default:
		return fmt.Errorf("open %s: %w", printable(path), bare(err))
	}
	return e
}

func kindOfFile(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "not a regular file"
}
