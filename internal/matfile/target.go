package matfile

import (
	"fmt"
	"math"

	"matmul/internal/elem"
)

// A Target is where a matrix goes, and in which format. Elements are float64 or
// float32. Text has the shortest digits that give the same element when they are
// read, and nan, inf and -inf; raw binary is little-endian in the order of rows;
// .npz has one stored member.
type Target struct {
	Path   string // of the file, or "-"
	Format Format
	Stream bool   // standard output or a pipe
	member string // of an archive
}

// ParseTarget reads the name of an output: FILE, FILE.npz:MEMBER or "-". The
// format is what its extension stands for, .npy if it stands for none, unless it is
// named.
func ParseTarget(text, format string) (Target, error) {
	t := Target{Path: text, Format: byExtension(text), member: "arr_0"}
	if path, layout, ok := cutLayout(text); ok {
		return t, &Error{Path: text, Problem: fmt.Sprintf("the output has the layout %s", layout), Want: printable(path) + ": C has the shape and type of the product"}
	}
	if path, member, ok := cutMember(text); ok {
		t.Path, t.Format, t.member = path, Npz, member
	}
	if t.Format == unknown {
		t.Format = Npy
	}
	if format != "" {
		f, err := ParseFormat(format)
		if err != nil {
			return t, err
		}
		t.Format = f
	}
	t.Stream = isStream(t.Path)
	return t, nil
}

// IsPlain reports whether the target is an .npy file, which can be written in any
// order.
func (t Target) IsPlain() bool { return t.Format == Npy && !t.Stream }

// Check returns an [*Error] if the format cannot hold a matrix of that shape.
func (t Target) Check(rows, cols int64) error {
	if t.Format.IsText() && (rows == 0 || cols == 0) {
		return &Error{Path: t.Path, Problem: fmt.Sprintf("lines of numbers cannot hold a matrix of the shape (%d, %d)", rows, cols), Want: "another format, such as .npy or .mtx"}
	}
	return nil
}

// The longest that AppendFloat makes of an element, with what follows it:
// -2.2250738585072014e-308 and -1.17549435e-38.
const (
	longest64 = 24 + 1
	longest32 = 15 + 1
)

// tooLarge is more than any file has, and can be added to others.
const tooLarge = math.MaxInt64 / 4

// Size returns the bytes of a matrix in the format, at most.
func (t Target) Size(rows, cols int64, e elem.Type) int64 {
	each, rest := int64(e.Size()), int64(0)
	switch t.Format {
	case Npy:
		rest = int64(len(header(rows, cols, e)))
	case Npz:
		rest = int64(len(header(rows, cols, e))) + 1<<10 + 2*int64(len(t.member))
	case Market:
		rest = int64(len(marketHeader(rows, cols)))
		fallthrough
	case CSV, TSV, Text:
		each = longest64
		if e == elem.Float32 {
			each = longest32
		}
	}
	if rows > 0 && cols > (tooLarge-rest)/each/rows {
		return tooLarge
	}
	return rows*cols*each + rest
}

func marketHeader(rows, cols int64) string {
	return fmt.Sprintf("%s matrix array real general\n%d %d\n", marketBanner, rows, cols)
}
