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
	*os.File
	opened identity // as it was when the header was read
}

// Open opens the .npy file at path and checks its header against its size.
// The caller closes it. A file that cannot be used is an [*Error].
func Open(path string) (*File, error) {
	// A pipe without a writer would block the open for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	m, err := newFile(path, f)
	if err != nil {
		f.Close()
		var e *Error
		if errors.As(err, &e) && e.Path == "" {
			e.Path = path
		}
		return nil, err
	}
	return m, nil
}

// A file system counts its times in ticks of 10 ms at most, as a rule. A file
// that was changed within the last one could change once more and look the
// same.
const (
	tick      = 12 * time.Millisecond
	mostTicks = 8
)

// newFile looks at f when its last change is at least a tick ago, so that the
// next one shows in its times. One that cannot be used is not waited for, nor is
// one that is written to all the time: that will show, too.
func newFile(path string, f *os.File) (m *File, err error) {
	for range mostTicks {
		if m, err = look(path, f); err != nil {
			return nil, err
		}
		age := time.Since(m.opened.changed())
		if age < 0 || age >= tick {
			break
		}
		time.Sleep(tick - age)
	}
	return m, nil
}

// look returns what f is now.
func look(path string, f *os.File) (*File, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", printable(path), bare(err))
	}
	if !st.Mode().IsRegular() {
		return nil, &Error{Problem: "is " + kindOfFile(st.Mode()), Want: "a regular file"}
	}
	in, err := Parse(bufio.NewReader(io.NewSectionReader(f, 0, st.Size())))
	if err != nil {
		return nil, err
	}
	in.Path = path
	m := &File{Info: in, File: f, opened: identify(st)}
	return m, m.checkSize(st.Size())
}

// checkSize compares the size of the file with what its header describes.
func (f *File) checkSize(size int64) error {
	want := f.Offset + f.DataSize()
	e := &Error{Path: f.Path, Want: fmt.Sprintf("%d (%d of header, then %s of %s)", want, f.Offset, f.Shape(), f.Elem)}
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

// Changed returns an [*Error] if the file is not what it was at [Open]: if its
// size or times differ, or its name now means another file. Times that were
// forged go unnoticed.
func (f *File) Changed() error {
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("stat %s: %w", printable(f.Path), bare(err))
	}
	now := identify(st)
	if what := f.opened.rewritten(now); what != "" {
		return f.changedError(what)
	}
	named, err := os.Stat(f.Path)
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
