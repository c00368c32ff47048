package matfile

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"matmul/internal/elem"
)

// standardInput is the name of what comes on standard input, and of what goes to
// standard output.
const standardInput = "-"

// A name is a matrix as the user writes it:
//
//	FILE                            what its content says
//	FILE.npz:MEMBER                 an array of an archive
//	FILE:ROWSxCOLS[,WORD...]        raw binary; the words are an element type,
//	                                C or fortran, little or big
//
// or - for standard input, which as a file is /dev/stdin. A file that is there under
// the whole of the name is that file.
type name struct {
	text   string // all of it
	path   string
	member string // of an archive; "" if none is named
	layout *Info  // of raw binary; nil if none is given
}

// npzMark is where an archive's path ends and its member's name begins.
const npzMark = ".npz:"

func parseName(text string) (name, error) {
	n := name{text: text, path: text}
	if text == "" {
		return n, openError(text, os.ErrNotExist)
	}
	if _, err := os.Lstat(text); err == nil {
		return n, nil
	}
	if path, member, ok := cutMember(text); ok {
		n.path, n.member = path, member
		return n, nil
	}
	path, layout, ok := cutLayout(text)
	if !ok {
		return n, nil
	}
	in, err := parseLayout(layout)
	if err != nil {
		return n, &Error{Path: text, Problem: err.Error(), Want: "ROWSxCOLS and, after commas, an element type such as float32, fortran, big"}
	}
	in.Path, n.path, n.layout = text, path, &in
	return n, nil
}

// cutMember separates the path of an archive from the name of a member.
func cutMember(text string) (path, member string, ok bool) {
	for end := len(npzMark); end < len(text); end++ {
		if strings.EqualFold(text[end-len(npzMark):end], npzMark) {
			return text[:end-1], text[end:], true
		}
	}
	return text, "", false
}

// cutLayout separates a path from the layout of raw binary.
func cutLayout(text string) (path, layout string, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 1 {
		return text, "", false
	}
	shape, _, _ := strings.Cut(text[i+1:], ",")
	rows, cols, ok := strings.Cut(shape, "x")
	if !ok || !isDigits(rows) || !isDigits(cols) {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// parseLayout reads ROWSxCOLS[,WORD...].
func parseLayout(text string) (in Info, err error) {
	words := strings.Split(text, ",")
	rows, cols, _ := strings.Cut(words[0], "x")
	in = Info{Dims: 2, Elem: elem.Float64}
	in.Rows, err = strconv.ParseInt(rows, 10, 64)
	if err == nil {
		in.Cols, err = strconv.ParseInt(cols, 10, 64)
	}
	if err != nil {
		return in, fmt.Errorf("the shape %s is too large", excerpt(words[0]))
	}
	for _, word := range words[1:] {
		switch word {
		case "C":
			in.Fortran = false
		case "fortran":
			in.Fortran = true
		case "little":
			in.BigEndian = false
		case "big":
			in.BigEndian = true
		default:
			if in.Elem = storedType(word); !in.Elem.Valid() {
				return in, fmt.Errorf("the layout has the unknown word %s", excerpt(word))
			}
		}
	}
	in.BigEndian = in.BigEndian && in.Elem.Size() > 1
	if _, ok := fileSize(0, in.Rows, in.Cols, in.Elem); !ok {
		return in, fmt.Errorf("the shape %s of %s is more than 2^63 bytes", in.Shape(), in.Elem)
	}
	return in, nil
}

// storedType returns the type with NumPy's name, such as float32 or f4.
func storedType(word string) elem.Type {
	for code, t := range codes {
		if word == code || word == t.String() {
			return t
		}
	}
	return elem.Invalid
}
