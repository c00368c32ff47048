package matfile

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"syscall"
)

const npySuffix = ".npy"

// openMember opens a member of the archive s: where it is if it is stored, else a
// copy. Either way it is read once, since only that shows that its checksum is
// right.
func (o *Opener) openMember(s *source, count func(io.Reader) io.Reader) (*File, error) {
	if s.st == nil {
		return nil, &Error{Problem: "is an .npz archive in a pipe", Want: "a file: the table of an archive is at its end"}
	}
	z, err := zip.NewReader(s.file, s.size())
	if err != nil {
		return nil, zipError(err)
	}
	m, err := findMember(z.File, s.member)
	if err != nil {
		return nil, err
	}
	if err := checkMember(m); err != nil {
		return nil, err
	}
	if s.fresh {
		return nil, errFresh
	}
	content, err := m.Open()
	if err != nil {
		return nil, zipError(err)
	}
	defer content.Close()
	f, err := o.readMember(s, m, bufio.NewReaderSize(count(content), readBuffer))
	if err != nil {
		return nil, zipError(err)
	}
	return f, nil
}

// readMember reads all of m, whose content r is.
func (o *Opener) readMember(s *source, m *zip.File, r *bufio.Reader) (*File, error) {
	in, err := Parse(r)
	if err != nil {
		return nil, err
	}
	if err := (&File{Info: in}).checkSize(int64(m.UncompressedSize64)); err != nil {
		return nil, err
	}
	if m.Method == zip.Deflate {
		return o.copyElements(s, r, in)
	}
	start, err := m.DataOffset()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	in.Offset += start
	f := s.inPlace(in)
	f.start = start
	return f, nil
}

// findMember returns the array of that name, or the only one.
func findMember(members []*zip.File, name string) (*zip.File, error) {
	var found []*zip.File
	var names []string
	for _, m := range members {
		array, isArray := strings.CutSuffix(m.Name, npySuffix)
		if !isArray {
			continue
		}
		names = append(names, array)
		if name == "" || name == array || name == m.Name {
			found = append(found, m)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(names) == 0:
		return nil, &Error{Problem: "is a zip archive without an .npy member", Want: "an array", Advice: "write it with numpy.savez"}
	case name == "":
		return nil, &Error{Problem: "holds several arrays: " + listNames(names), Want: "FILE.npz:NAME"}
	case len(found) > 1:
		return nil, &Error{Problem: fmt.Sprintf("holds %d arrays of the name %s", len(found), excerpt(name)), Want: "one"}
	}
	return nil, &Error{Problem: "has no array of that name", Want: "one of " + listNames(names)}
}

// listNames shows at most the first eight names.
func listNames(names []string) string {
	const most = 8
	var parts []string
	for _, n := range names[:min(len(names), most)] {
		if quoted := excerpt(n); quoted != `"`+n+`"` {
			n = quoted
		}
		parts = append(parts, n)
	}
	if len(names) > most {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

// maxInflation is how many bytes at most Deflate makes of one.
const maxInflation = 1032

// checkMember says whether the table of the archive can be true.
func checkMember(m *zip.File) error {
	const encrypted = 1
	damaged := &Error{Advice: "the archive is damaged: write or copy it again"}
	switch {
	case m.Flags&encrypted != 0:
		return &Error{Problem: "is encrypted", Want: "a plain archive"}
	case m.Method != zip.Store && m.Method != zip.Deflate:
		return &Error{Problem: fmt.Sprintf("is compressed by method %d", m.Method), Want: "stored or deflated", Advice: "write it with numpy.savez or savez_compressed"}
	case m.UncompressedSize64 > math.MaxInt64 || m.CompressedSize64 > math.MaxInt64:
		damaged.Problem = "claims more than 2^63 bytes"
	case m.Method == zip.Store && m.CompressedSize64 != m.UncompressedSize64:
		damaged.Problem = fmt.Sprintf("claims %d bytes that take %d, stored", m.UncompressedSize64, m.CompressedSize64)
	case m.Method == zip.Deflate && m.UncompressedSize64/maxInflation > m.CompressedSize64:
		damaged.Problem = fmt.Sprintf("claims %d bytes that are deflated to %d, which cannot be", m.UncompressedSize64, m.CompressedSize64)
	default:
		return nil
	}
	return damaged
}

// zipError turns what is wrong with an archive into an [*Error].
func zipError(err error) error {
	var corrupt flate.CorruptInputError
	var outside *fs.PathError // without the system's error: before the file's beginning
	var known *Error
	e := &Error{Advice: "the archive is damaged: write or copy it again", Err: err}
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, zip.ErrChecksum):
		e.Problem = "does not have its checksum"
	case errors.As(err, &corrupt), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, zip.ErrFormat),
		errors.As(err, &outside) && !errors.As(err, new(syscall.Errno)):
		e.Problem = "cannot be unpacked"
	default:
		return err
	}
	return e
}
