package matfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"matmul/internal/elem"
	"matmul/internal/sys"
)

// PartSuffix is what a part file's name has after that of its output.
const PartSuffix = ".part"

// Beside returns the directory and the name that an output at path will have,
// after symbolic links: what belongs to it lies beside it.
func Beside(path string) (dir, name string, err error) {
	to, err := resolve(path, true, nil)
	return to.dir, to.name, err
}

// CreatePart is [Create] for a matrix that outlasts this process: its file is
// named as the target and [PartSuffix] until Commit, and stays if that fails
// and after Leave. With takeOver the file may be there already: it keeps the
// elements that it holds, if they are as many; else that is an [*Error].
//
// The file has a lock that lasts until the last descriptor of it, in whatever
// process, is closed. CreatePart waits for the lock, since who held it may be
// about to end, but not for long: that another process keeps it is an [*Error].
func CreatePart(ctx context.Context, path string, rows, cols int64, t elem.Type, force, takeOver bool) (*Output, error) {
	return assemble(path, rows, cols, t, force, func(to target) (*os.File, place, error) {
		dir, err := os.Open(to.dir)
		if err != nil {
			return nil, place{}, outputError(path, "create", err)
		}
		p := place{dir: dir, name: to.name, part: to.name + PartSuffix, lasting: true}
		file, err := p.lockPart(ctx, filepath.Join(to.dir, p.part), takeOver)
		if err != nil {
			dir.Close()
		}
		return file, p, err
	})
}

// lockPatience is how long CreatePart waits for a lock: a killed process ends
// when its last system call does.
const lockPatience = 10 * time.Second

// lockPart opens the part file, shown as path, and takes its lock.
func (p *place) lockPart(ctx context.Context, path string, takeOver bool) (*os.File, error) {
	for {
		file, err := p.openAny(path, takeOver)
		if err == errGone {
			continue
		}
		if err != nil {
			return nil, err
		}
		same := false
		if err = lock(ctx, file, path); err == nil {
			same, err = sys.Named(p.fd(), p.part, int(file.Fd()))
		}
		if same {
			return file, nil
		}
		file.Close()
		if err != nil {
			return nil, err
		}
	}
}

// errGone says that the writer of a part file finished between two looks at it.
var errGone = errors.New("the part file has gone")

// openAny opens the part file, a new one or, with takeOver, one that is there.
func (p *place) openAny(path string, takeOver bool) (*os.File, error) {
	fd, err := sys.OpenNamed(p.fd(), p.part)
	p.found = errors.Is(err, fs.ErrExist)
	if p.found && !takeOver {
		return nil, &Error{Path: path, Problem: "exists", Advice: "use --resume to go on with what it holds, or --force to start from the beginning", Err: err}
	}
	if p.found {
		fd, err = sys.OpenOld(p.fd(), p.part)
	}
	switch {
	case errors.Is(err, syscall.EISDIR):
		return nil, notPartError(path, fs.ModeDir)
	case p.found && errors.Is(err, fs.ErrNotExist):
		return nil, errGone
	case err != nil:
		return nil, outputError(path, "open", err)
	}
	file := os.NewFile(uintptr(fd), p.part)
	st, err := file.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = notPartError(path, st.Mode())
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// lock takes the lock of a part file.
func lock(ctx context.Context, file *os.File, path string) error {
	for begin := time.Now(); ; {
		err := sys.TryLock(file)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w; without locks there is no --checkpoint", printable(path), bare(err))
		case time.Since(begin) > lockPatience:
			return &Error{Path: path, Problem: "another process is writing it", Advice: "wait for its end, or stop it", Err: err}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func notPartError(path string, m fs.FileMode) error {
	return &Error{Path: path, Problem: "is " + kindOfFile(m), Want: "a part file", Advice: "remove it, or choose another output"}
}

// RemovePart removes the part file of the output at path, if there is one and
// no process writes it.
func RemovePart(ctx context.Context, path string) error {
	to, err := resolve(path, true, nil)
	if err != nil {
		return err
	}
	dir, err := os.Open(to.dir)
	if err != nil {
		return outputError(path, "open the directory of", err)
	}
	defer dir.Close()
	p := place{dir: dir, name: to.name, part: to.name + PartSuffix}
	shown := filepath.Join(to.dir, p.part)
	if _, err := os.Lstat(shown); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	file, err := p.lockPart(ctx, shown, true)
	if err != nil {
		return err
	}
	defer file.Close()
	return p.clear()
}
