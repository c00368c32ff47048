package matfile

import (
	"io/fs"
	"syscall"
	"time"
)

// identity tells a file and its contents from others, as far as stat can.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

// identify reads an identity from what os.File.Stat returned.
func identify(st fs.FileInfo) identity {
	s := st.Sys().(*syscall.Stat_t)
	return identity{dev: uint64(s.Dev), ino: s.Ino, size: s.Size, mtime: s.Mtim, ctime: s.Ctim}
}

// changed returns when the file or its contents were changed last.
func (id identity) changed() time.Time { return time.Unix(id.ctime.Unix()) }

// sameFile reports whether id and now are of one file, changed or not.
func (id identity) sameFile(now identity) bool { return id.dev == now.dev && id.ino == now.ino }

// SameContents reports whether two looks were at one file with the same contents,
// as far as its size and its time of modification tell.
func SameContents(a, b fs.FileInfo) bool {
	x, y := identify(a), identify(b)
	return x.sameFile(y) && x.rewritten(y) == ""
}

// rewritten says how the contents of the same file differ at a later look, ""
// if they do not seem to.
func (id identity) rewritten(now identity) string {
	switch {
	case now.size < id.size:
		return "truncated"
	case now.size > id.size:
		return "extended"
	case now.mtime != id.mtime:
		return "modified"
	}
	return ""
}

// allocated returns the bytes that a file takes on its disk.
func allocated(st fs.FileInfo) int64 { return 512 * st.Sys().(*syscall.Stat_t).Blocks }

// owner returns the user that a file belongs to.
func owner(st fs.FileInfo) int { return int(st.Sys().(*syscall.Stat_t).Uid) }
