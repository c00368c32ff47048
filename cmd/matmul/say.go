package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"matmul/master"
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
	if what := remedy(err); what != "" {
		err = advise(err, "%s", what)
	}
	fmt.Fprintf(w, "matmul: %s\n", oneLine(err.Error()))
}

// remedy says what helps where the system refused something; "" if nobody knows.
func remedy(err error) string {
	switch lost := errors.Is(err, master.ErrWorkersLost); {
	case errors.Is(err, shmmat.ErrUnavailable):
		return "'matmul info' shows which kinds of --segment work here"
	case errors.Is(err, syscall.EMFILE):
		return "raise 'ulimit -n'"
	case lost && errors.Is(err, syscall.EAGAIN):
		return "raise 'ulimit -u', or pids.max of the control group"
	case lost && errors.Is(err, syscall.ENOMEM):
		return "free memory, or use fewer --workers"
	}
	return ""
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
