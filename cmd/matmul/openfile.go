package main

import (
	"errors"
	"io"
	"os"
	"syscall"

	"matmul/tune"
)

// errIrregular is what openRegular says of directories, pipes and devices.
var errIrregular = errors.New("not a regular file")

// openRegular opens a regular file that a user names. It waits for nothing: a pipe
// without a writer would block it for ever.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errIrregular
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// readSmall reads a file of text that a user names.
func readSmall(path string) ([]byte, error) {
	const most = 1 << 20
	f, err := openRegular(path)
	if err != nil {
		return nil, inputf(path, "%v", reason(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, inputf(path, "%v", reason(err))
	case len(data) > most:
		return nil, inputf(path, "longer than %s", tune.FormatBytes(most))
	}
	return data, nil
}
