package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"matmul/shmmat"
)

// say writes an error as one line, or a list's as one for each thing that is
// wrong with it.
func say(w io.Writer, err error) {
	if list := (*listError)(nil); errors.As(err, &list) {
		for _, line := range list.lines() {
			fmt.Fprintf(w, "matmul: %s\n", oneLine(line))
		}
		return
	}
	if errors.Is(err, shmmat.ErrUnavailable) {
		err = advise(err, "'matmul info' shows which kinds of --segment work here")
	}
	fmt.Fprintf(w, "matmul: %s\n", oneLine(err.Error()))
}

// advise adds what to do to an error.
func advise(err error, format string, args ...any) error {
	return fmt.Errorf("%w; %s", err, fmt.Sprintf(format, args...))
}

// oneLine returns s as a terminal can show it on one line: file names may hold
// any byte.
func oneLine(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if strconv.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			b.WriteString(s[:n])
		} else {
			b.WriteString(strings.Trim(strconv.Quote(s[:n]), `"`))
		}
		s = s[n:]
	}
	return b.String()
}

// checkedWriter is a command's standard output. It remembers the first failed
// write: a full disk or a closed pipe is an error, and not a result that looks
// complete.
type checkedWriter struct {
	w   io.Writer
	err error
}

// Write writes p, unless a write has failed before.
func (c *checkedWriter) Write(p []byte) (n int, err error) {
	if c.err == nil {
		if n, err = c.w.Write(p); err != nil {
			c.err = resultError{fmt.Errorf("write the result: %w", err)}
		}
	}
	return n, c.err
}
