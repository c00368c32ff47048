package matfile

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// A Format is how a file holds a matrix.
type Format uint8

// The formats. docs/formats.md describes them.
const (
	Npy    Format = iota
	Npz           // zip archive of .npy members
	Market        // Matrix Market, array
	CSV           // numbers in text: comma between them in output
	TSV           // tab
	Text          // space
	Raw           // the elements alone
	unknown
)

var formatNames = [...]string{"npy", "npz", "mtx", "csv", "tsv", "txt", "raw"}

// String returns the name of the format, which is also its extension.
func (f Format) String() string { return formatNames[f] }

// FormatNames returns the names of all formats.
func FormatNames() []string { return formatNames[:] }

// ParseFormat returns the format that name spells.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames {
		if n == name {
			return Format(i), nil
		}
	}
	return unknown, fmt.Errorf("unknown format %q: want %s", name, strings.Join(formatNames[:], ", "))
}

// IsText reports whether the format is numbers between separators.
func (f Format) IsText() bool { return f == CSV || f == TSV || f == Text }

// byExtension returns the format that the end of a path stands for, or unknown.
func byExtension(path string) Format {
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if ext == "bin" {
		return Raw
	}
	if f, err := ParseFormat(ext); err == nil {
		return f
	}
	return unknown
}

const (
	marketBanner = "%%MatrixMarket"
	zipMember    = "PK\x03\x04"
	zipEmpty     = "PK\x05\x06"
	gzipMagic    = "\x1f\x8b"
)

// headSize is how much of a file's beginning tells its format.
const headSize = 64

// detect returns the format of a file that begins with head: what its content
// says, else what its extension says.
func detect(path string, head []byte) (Format, error) {
	begins := func(magic string) bool {
		return len(head) >= len(magic) && strings.EqualFold(string(head[:len(magic)]), magic)
	}
	switch f := byExtension(path); {
	case begins(magic):
		return Npy, nil
	case begins(zipMember), begins(zipEmpty):
		return Npz, nil
	case begins(marketBanner):
		return Market, nil
	case begins(gzipMagic):
		return unknown, &Error{Problem: "is compressed with gzip", Advice: "unpack it, or pass it through a pipe: gzip -dc FILE | matmul … -"}
	case f == Raw:
		return unknown, &Error{Problem: "is raw binary, which does not say what it holds", Advice: layoutAdvice(path)}
	case f != unknown:
		return f, nil
	case len(head) == 0:
		return unknown, &Error{Problem: "is empty", Want: wantFormats}
	case !isReadable(head):
		return unknown, &Error{Problem: fmt.Sprintf("is in no format that is known: it begins with %q", head[:min(len(head), 6)]),
			Want: wantFormats, Advice: "or, if it is raw binary, " + layoutAdvice(path)}
	}
	return Text, nil
}

const wantFormats = ".npy, .npz, a Matrix Market array, or lines of numbers"

func layoutAdvice(path string) string {
	return fmt.Sprintf("name its layout, as in %s:100x200,float32", printable(path))
}

// isReadable reports whether head may be text.
func isReadable(head []byte) bool {
	return bytes.IndexFunc(head, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) < 0
}
