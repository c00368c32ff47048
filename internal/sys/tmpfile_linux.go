package sys

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// OpenUnnamed opens a new file without a name in the directory dir for
// reading and writing (O_TMPFILE), with the permissions 0666 less the umask.
// It vanishes with its last descriptor unless [LinkUnnamed] names it. File
// systems without O_TMPFILE give EOPNOTSUPP or EISDIR.
func OpenUnnamed(dir int) (fd int, err error) {
	err = retry("openat(O_TMPFILE)", func() error {
		var err error
		fd, err = unix.Openat(dir, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o666)
		return err
	})
	return fd, err
}

// OpenNamed creates the file name in the directory dir for reading and
// writing, with the permissions 0666 less the umask. A name that exists is
// EEXIST.
func OpenNamed(dir int, name string) (fd int, err error) {
	err = retry("openat(O_CREAT)", func() error {
		var err error
		fd, err = unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o666)
		return err
	})
	return fd, err
}

// OpenOld opens the file name in the directory dir, which exists, for reading
// and writing. It neither follows a symbolic link nor waits for a pipe's other
// end.
func OpenOld(dir int, name string) (fd int, err error) {
	err = retry("openat", func() error {
		var err error
		fd, err = unix.Openat(dir, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// Named reports whether name in the directory dir is the open file fd.
func Named(dir int, name string, fd int) (bool, error) {
	var byName, byFd unix.Stat_t
	err := retry("fstatat", func() error { return unix.Fstatat(dir, name, &byName, unix.AT_SYMLINK_NOFOLLOW) })
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err == nil {
		err = retry("fstat", func() error { return unix.Fstat(fd, &byFd) })
	}
	return byName.Dev == byFd.Dev && byName.Ino == byFd.Ino, err
}

// LinkUnnamed gives the file fd of [OpenUnnamed] a name in the directory dir.
// It goes through /proc/self/fd: AT_EMPTY_PATH needs a capability before
// Linux 6.10. A name that exists is EEXIST and stays what it is.
func LinkUnnamed(fd, dir int, name string) error {
	return retry("linkat(/proc/self/fd)", func() error {
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), dir, name, unix.AT_SYMLINK_FOLLOW)
	})
}

// CanLinkUnnamed reports whether /proc shows descriptors of this process, as
// [LinkUnnamed] needs.
func CanLinkUnnamed(fd int) bool {
	var byName, byFd unix.Stat_t
	if unix.Stat(fmt.Sprintf("/proc/self/fd/%d", fd), &byName) != nil || unix.Fstat(fd, &byFd) != nil {
		return false
	}
	return byName.Dev == byFd.Dev && byName.Ino == byFd.Ino
}

// Link gives the file old in the directory dir the second name new there. A
// name that exists is EEXIST.
func Link(dir int, old, new string) error {
	return retry("linkat", func() error { return unix.Linkat(dir, old, dir, new, 0) })
}

// Rename renames old to new, both in the directory dir, and replaces new.
func Rename(dir int, old, new string) error {
	return retry("renameat", func() error { return unix.Renameat(dir, old, dir, new) })
}

// RenameNew is [Rename], except that a new name that exists is EEXIST. File
// systems that cannot promise this give EINVAL.
func RenameNew(dir int, old, new string) error {
	return retry("renameat2(RENAME_NOREPLACE)", func() error { return unix.Renameat2(dir, old, dir, new, unix.RENAME_NOREPLACE) })
}

// Exchange swaps the two names, both of which must exist, at once. File
// systems that cannot give EINVAL.
func Exchange(dir int, a, b string) error {
	return retry("renameat2(RENAME_EXCHANGE)", func() error { return unix.Renameat2(dir, a, dir, b, unix.RENAME_EXCHANGE) })
}

// Unlink removes the name of a file from the directory dir.
func Unlink(dir int, name string) error {
	return retry("unlinkat", func() error { return unix.Unlinkat(dir, name, 0) })
}

// allocateStep bounds one fallocate: on tmpfs a signal undoes the whole call,
// so that an unbounded one might never succeed.
const allocateStep = 256 << 20

// Allocate reserves disk space for the first size bytes of fd and makes it at
// least that long. File systems that cannot reserve give EOPNOTSUPP.
func Allocate(fd int, size int64) error {
	for at := int64(0); at < size; at += allocateStep {
		n := min(size-at, allocateStep)
		if err := retry("fallocate", func() error { return unix.Fallocate(fd, 0, at, n) }); err != nil {
			return err
		}
	}
	return nil
}

// Writable reports, as nil or the system's error, whether this process may
// make files in the directory path. EROFS is a read-only file system.
func Writable(path string) error {
	return retry("faccessat", func() error {
		return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	})
}

// retry makes a system call until it is not interrupted by a signal.
func retry(call string, f func() error) error {
	for {
		err := f()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("%s: %w", call, err)
		}
	}
}
