package matfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// CheckOutput says, before any work is done, whether a matrix can be written
// to path: an [*Error] if it exists and force is not given, is one of the
// inputs (also by another name), is not a regular file, or lies in a
// directory that is missing or may not be written. It touches nothing. What
// it finds may change until [Create] and Commit, which check again.
func CheckOutput(path string, force bool, inputs ...*File) error {
	_, err := resolve(path, force, inputs)
	return err
}

// A target is where an output goes.
type target struct {
	dir  string      // the directory, after symbolic links
	name string      // the name in it
	old  fs.FileInfo // the file to replace; nil if there is none
}

// resolve finds the target that path means. As with cp and a shell's ">", a
// symbolic link is followed: the file that it leads to is replaced, and the
// link stays.
func resolve(path string, force bool, inputs []*File) (target, error) {
	t, err := split(path)
	if err != nil {
		return target{}, err
	}
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, checkWritable(path, t.dir)
	case err != nil:
		return target{}, outputError(path, "examine", err)
	}
	if st.Mode()&fs.ModeSymlink != 0 {
		if t, st, err = follow(path); err != nil {
			return target{}, err
		}
	}
	if err := checkReplace(path, st, force, inputs); err != nil {
		return target{}, err
	}
	t.old = st
	if err := mayReplace(t); err != nil {
		return target{}, &Error{Path: path, Problem: "cannot be replaced: " + reason(err), Err: err}
	}
	return t, checkWritable(path, t.dir)
}

// split separates path into a directory that exists and a name.
func split(path string) (target, error) {
	if path == "" {
		return target{}, &Error{Problem: "the output's file name is empty"}
	}
	dir, name := filepath.Split(path)
	if name == "" || name == "." || name == ".." {
		return target{}, &Error{Path: path, Problem: "names a directory", Want: "the name of a file in it"}
	}
	if dir == "" {
		dir = "."
	}
	st, err := os.Stat(dir)
	shown := printable(strings.TrimSuffix(dir, "/"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target{}, &Error{Path: path, Problem: fmt.Sprintf("the directory %s does not exist", shown), Advice: "make it first", Err: err}
	case errors.Is(err, syscall.ENOTDIR) || err == nil && !st.IsDir():
		return target{}, &Error{Path: path, Problem: shown + " is not a directory", Err: err}
	case err != nil:
		return target{}, outputError(path, "examine the directory of", err)
	}
	return target{dir: dir, name: name}, nil
}

// follow resolves path, a symbolic link, to the end.
func follow(path string) (target, fs.FileInfo, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return target{}, nil, &Error{Path: path, Problem: "is a symbolic link that leads nowhere", Advice: "remove it, or choose another name", Err: err}
	}
	st, err := os.Lstat(real)
	if err != nil {
		return target{}, nil, outputError(path, "examine", err)
	}
	return target{dir: filepath.Dir(real), name: filepath.Base(real)}, st, nil
}

// checkReplace says whether the existing file st may be replaced.
func checkReplace(path string, st fs.FileInfo, force bool, inputs []*File) error {
	for _, in := range inputs {
		if in == nil {
			continue
		}
		if ist, err := in.named().Stat(); err == nil && os.SameFile(st, ist) {
			return &Error{Path: path, Problem: "is the same file as the input " + printable(in.Path), Advice: "choose another output"}
		}
	}
	if !st.Mode().IsRegular() {
		return &Error{Path: path, Problem: "is " + kindOfFile(st.Mode()), Want: "a new name or a regular file"}
	}
	if !force {
		return existsError(path, fs.ErrExist)
	}
	return nil
}

func existsError(path string, err error) error {
	return &Error{Path: path, Problem: "exists", Advice: "use --force to replace it", Err: err}
}

// outputError turns what the user can put right into an [*Error], and a full
// disk into one that is ErrNoSpace.
func outputError(path, verb string, err error) error {
	e := &Error{Path: path, Err: err}
	switch {
	case isNoSpace(err):
		return fmt.Errorf("%s %s: %w: %w", verb, printable(path), ErrNoSpace, err)
	case errors.Is(err, syscall.EROFS):
		e.Problem, e.Advice = "its directory is on a read-only file system", "choose another place"
	case errors.Is(err, fs.ErrPermission):
		e.Problem, e.Advice = "its directory may not be written", "check its permissions, or choose another place"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP),
		errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EOPNOTSUPP):
		e.Problem = "cannot be made: " + reason(err)
	default:
		return fmt.Errorf("%s %s: %w", verb, printable(path), bare(err))
	}
	return e
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
