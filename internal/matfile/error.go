package matfile

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
)

// ErrNoSpace is what errors of [Create] and [Write] wrap when the disk is
// full, a quota is used up, or a file of that size is not allowed.
var ErrNoSpace = errors.New("not enough disk space")

// An Error says why a file cannot be an operand or a result. It is the user's
// to put right, unlike a failing disk, which is reported as a plain error.
type Error struct {
	Path    string // the file, as the user named it
	Problem string // what is wrong, completing "<path>: "
	Want    string // what was expected instead; may be empty
	Advice  string // what to do; may be empty
	Err     error  // the cause, for errors.Is; not printed; may be nil
}

// Error returns the problem, the expectation and the advice in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Path != "" {
		b.WriteString(printable(e.Path))
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	if e.Want != "" {
		b.WriteString(": want ")
		b.WriteString(e.Want)
	}
	if e.Advice != "" {
		b.WriteString("; ")
		b.WriteString(e.Advice)
	}
	return b.String()
}

// Unwrap returns the cause, nil if there is none beyond the problem itself.
func (e *Error) Unwrap() error { return e.Err }

// printable returns s as it is if a terminal shows it on one line, quoted
// otherwise: file names may hold any byte.
func printable(s string) string {
	for _, r := range s {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return strconv.Quote(s)
		}
	}
	return s
}

// excerpt quotes text that came out of a file, cut to a readable length.
func excerpt(s string) string {
	const limit = 40
	if len(s) <= limit {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:limit]) + "…"
}

// bare returns the system's error inside err, without the call and the path
// that others put before it.
func bare(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}

// reason returns the system's words for err.
func reason(err error) string { return bare(err).Error() }
