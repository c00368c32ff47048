package matfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
)

// readText reads lines of numbers: a row in each line, with semicolons, commas, tabs
// or white space between them, whichever of these comes first in this list and is in
// the first line. Empty lines and lines that begin with # are skipped,
// and a first line in which nothing is a number.
func readText(r *bufio.Reader, sink textSink) (Info, error) {
	t := newTextReader(r, sink)
	if b, _ := r.Peek(len(byteOrderMark)); string(b) == byteOrderMark {
		_, _ = r.Discard(len(b))
	}
	if err := t.begin(); err != nil {
		return Info{}, err
	}
	rows, cols := int64(0), int64(0)
	for {
		more, err := t.startLine('#')
		if err != nil {
			return Info{}, err
		}
		if !more {
			break
		}
		line := t.line
		n, err := t.row()
		if err != nil {
			return Info{}, err
		}
		if rows == 0 {
			cols = n
		}
		if n != cols {
			return Info{}, &Error{Problem: fmt.Sprintf("has %d numbers in line %d", n, line), Want: fmt.Sprintf("%d, as in the first row", cols)}
		}
		rows++
	}
	if rows == 0 {
		return Info{}, &Error{Problem: "holds no numbers", Want: "lines of numbers"}
	}
	return t.sink.info(rows, cols, false), t.flush()
}

// byteOrderMark is what some programs begin UTF-8 with.
const byteOrderMark = "\ufeff"

// begin looks at the first line: it sets the delimiter, and skips a line of names.
func (t *textReader) begin() error {
	for header := false; ; header = true {
		more, err := t.startLine('#')
		if err != nil || !more {
			return err
		}
		line, whole, err := t.firstLine()
		if err != nil {
			return err
		}
		t.delim = delimiter(line)
		if header || !whole || t.hasNumber(line) {
			return nil
		}
		if err := t.skipLine(); err != nil {
			return err
		}
		t.delim = 0
	}
}

// delimiter returns what is between the fields of a line, 0 for white space.
func delimiter(line []byte) byte {
	for _, c := range []byte(";,\t") {
		if bytes.IndexByte(line, c) >= 0 {
			return c
		}
	}
	return 0
}

// hasNumber reports whether a field of the line is a number.
func (t *textReader) hasNumber(line []byte) bool {
	fields := bytes.Fields(line)
	if t.delim != 0 {
		fields = bytes.Split(line, []byte{t.delim})
	}
	for _, f := range fields {
		if _, err := parseNumber(trimBlanks(f)); !errors.Is(err, errNoNumber) {
			return true
		}
	}
	return false
}

// row reads the numbers of a line and returns how many there are.
func (t *textReader) row() (n int64, err error) {
	for {
		line := t.line
		field, end, err := t.next()
		if err != nil {
			return n, err
		}
		if t.delim == 0 && len(field) == 0 {
			return n, nil
		}
		v, err := parseNumber(field)
		if err != nil {
			return n, t.numberError(err, field, line, n+1)
		}
		if err := t.add(v); err != nil {
			return n, err
		}
		n++
		if end == '\n' || end == 0 {
			return n, nil
		}
	}
}

// numberError says what is wrong with a field.
func (t *textReader) numberError(err error, field []byte, line, n int64) error {
	switch {
	case len(field) == 0:
		return t.errorIn(line, n, "has nothing in", "a number")
	case errors.Is(err, errTooLarge):
		e := t.errorIn(line, n, fmt.Sprintf("has %s in", excerpt(string(field))), "a number that float64 holds")
		e.Advice = "write inf if that is meant"
		return e
	}
	return t.errorIn(line, n, fmt.Sprintf("has %s in", excerpt(string(field))), "a number such as -1.5e3, nan or inf")
}
