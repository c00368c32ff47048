package matfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Numbers in text are read as a stream, with a buffer of one size whatever the
// length of lines: a row of encoding/csv would be held as a whole.

// A textSink takes the elements of a text, in the order in which they stand
// there.
type textSink interface {
	// put takes elements after those of the last put, and keeps none of the slice.
	put(elements []float64) error
	// info describes what has been put.
	info(rows, cols int64, fortran bool) Info
}

// A textReader reads the fields of lines.
type textReader struct {
	r     *bufio.Reader
	line  int64 // the number of the line that is being read, from 1
	field int64 // of the last field in it, from 1
	delim byte  // between fields; 0 is white space
	sink  textSink
	run   []float64 // numbers on their way to the sink
}

// runLength is how many numbers are handed to a sink at a time.
const runLength = 4096

func newTextReader(r *bufio.Reader, sink textSink) *textReader {
	return &textReader{r: r, line: 1, sink: sink, run: make([]float64, 0, runLength)}
}

// add hands a number on.
func (t *textReader) add(v float64) error {
	t.run = append(t.run, v)
	if len(t.run) < runLength {
		return nil
	}
	return t.flush()
}

func (t *textReader) flush() error {
	err := t.sink.put(t.run)
	t.run = t.run[:0]
	return err
}

// next returns the next field without the blanks around it, and what ends it: the
// delimiter, '\n', or 0 at the end of the text. Where fields are separated by
// white space, an empty one is the end of its line. The field is valid until the
// next call.
func (t *textReader) next() (field []byte, end byte, err error) {
	if t.delim == 0 {
		if err := t.skipBlanks(); err != nil {
			return nil, 0, err
		}
	}
	t.field++
	for searched := 0; ; {
		window, _ := t.r.Peek(t.r.Buffered())
		i := t.fieldEnd(window[searched:])
		if i >= 0 {
			i += searched
			end = window[i]
			if end == '\n' {
				t.line++
				t.field = 0
			}
			_, _ = t.r.Discard(i + 1) // it is buffered
			return trimBlanks(window[:i]), end, nil
		}
		searched = len(window)
		_, err := t.r.Peek(len(window) + 1)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			window, _ = t.r.Peek(t.r.Buffered())
			_, _ = t.r.Discard(len(window))
			return trimBlanks(window), 0, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, 0, t.errorf("has a field of more than %d bytes in", "a number", len(window))
		default:
			return nil, 0, err
		}
	}
}

// fieldEnd returns the index of what ends a field, -1 if it is not there.
func (t *textReader) fieldEnd(b []byte) int {
	if t.delim == 0 {
		for i, c := range b {
			if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
				return i
			}
		}
		return -1
	}
	for i, c := range b {
		if c == t.delim || c == '\n' {
			return i
		}
	}
	return -1
}

// trimBlanks is faster than bytes.TrimSpace, and knows no other white space.
func trimBlanks(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// skipBlanks skips blanks within a line.
func (t *textReader) skipBlanks() error {
	for {
		b, err := t.r.Peek(1)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !isBlank(b[0]) {
			return nil
		}
		_, _ = t.r.Discard(1)
	}
}

// skipLine skips the rest of a line, of whatever length.
func (t *textReader) skipLine() error {
	for {
		_, err := t.r.ReadSlice('\n')
		switch {
		case err == nil:
			t.line++
			t.field = 0
			return nil
		case errors.Is(err, io.EOF):
			return nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// startLine skips empty lines, blanks and lines that begin with comment. It
// returns false at the end of the text.
func (t *textReader) startLine(comment byte) (bool, error) {
	for {
		b, err := t.r.Peek(1)
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case b[0] == comment || b[0] == '\n':
			if err := t.skipLine(); err != nil {
				return false, err
			}
		case isBlank(b[0]) && b[0] != t.delim:
			_, _ = t.r.Discard(1)
		default:
			return true, nil
		}
	}
}

// firstLine returns what is buffered of a line, as much as can be, and whether
// that is all of it. It reads nothing away.
func (t *textReader) firstLine() (line []byte, whole bool, err error) {
	for {
		window, _ := t.r.Peek(t.r.Buffered())
		if i := bytes.IndexByte(window, '\n'); i >= 0 {
			return window[:i], true, nil
		}
		_, err := t.r.Peek(len(window) + 1)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return window, true, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return window, false, nil
		default:
			return nil, false, err
		}
	}
}

// errorf returns an error about a field of the text: what is wrong, completed by
// the place.
func (t *textReader) errorf(format, want string, args ...any) error {
	return t.errorIn(t.line, t.field, fmt.Sprintf(format, args...), want)
}

func (t *textReader) errorIn(line, field int64, problem, want string) *Error {
	return &Error{Problem: fmt.Sprintf("%s line %d, field %d", problem, line, field), Want: want}
}

var (
	errNoNumber = errors.New("not a number")
	errTooLarge = errors.New("more than float64 can hold")
)

// parseNumber reads a number as C, Python and Fortran's list output write it, to
// the nearest float64. It may be in double quotes. NaN and infinities are nan, inf
// and infinity with a sign or none, in capital or small letters.
func parseNumber(b []byte) (float64, error) {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = trimBlanks(b[1 : len(b)-1])
	}
	v, err := strconv.ParseFloat(string(b), 64)
	switch {
	case err == nil && bytes.IndexByte(b, '_') < 0:
		return v, nil
	case errors.Is(err, strconv.ErrRange):
		return 0, errTooLarge
	case len(b) == 4 && (b[0] == '-' || b[0] == '+') && strings.EqualFold(string(b[1:]), "nan"):
		return math.NaN(), nil
	}
	return 0, errNoNumber
}

// parseInteger reads an integer that float64 holds exactly.
func parseInteger(b []byte) (float64, error) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	v := float64(n)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (v == 1<<63 || int64(v) != n):
		return 0, errTooLarge
	case err != nil:
		return 0, errNoNumber
	}
	return v, nil
}
