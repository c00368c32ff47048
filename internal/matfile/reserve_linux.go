package matfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"matmul/internal/sys"
)

// reserve makes file, in directory dir, size bytes long with disk space for
// all of them, or as sure as the file system can be. It asks first: to
// allocate until it fails would fill the disk under everybody else.
func reserve(file *os.File, dir string, size int64) error {
	st, err := file.Stat()
	if err != nil {
		return err
	}
	if st.Size() > size { // of another matrix
		if err := file.Truncate(0); err != nil {
			return err
		}
	}
	if free, err := sys.FreeSpace(dir); err == nil && free < size-allocated(st) {
		return fmt.Errorf("%d bytes are free: %w", free, syscall.ENOSPC)
	}
	err = sys.Allocate(int(file.Fd()), size)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return file.Truncate(size)
	}
	return err
}

func checkWritable(path, dir string) error {
	if err := sys.Writable(dir); err != nil {
		return outputError(path, "examine the directory of", err)
	}
	return nil
}

// mayReplace returns EPERM if the directory of t keeps this user from
// replacing what is there.
func mayReplace(t target) error {
	dir, err := os.Stat(t.dir)
	if err != nil {
		return err
	}
	if keepsFrom(os.Geteuid(), dir, t.old) {
		return syscall.EPERM
	}
	return nil
}

// keepsFrom reports whether dir is sticky, as /tmp is, and neither it nor the
// file old in it belongs to the user uid.
func keepsFrom(uid int, dir, old fs.FileInfo) bool {
	return dir.Mode()&fs.ModeSticky != 0 && uid != 0 && uid != owner(dir) && uid != owner(old)
}
