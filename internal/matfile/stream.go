package matfile

import (
	"context"
	"io"
	"io/fs"
	"os"
)

// IsStream reports whether what is named as an input is a stream.
func IsStream(text string) bool {
	n, err := parseName(text)
	return err == nil && isStream(n.path)
}

// isStream reports whether path is read or written once, from beginning to end:
// standard input or output, or a pipe.
func isStream(path string) bool {
	if path == standardInput {
		return true
	}
	st, err := os.Stat(path)
	return err == nil && st.Mode()&fs.ModeNamedPipe != 0
}

// openStream opens a stream for reading. It waits for the writer of a pipe until
// ctx ends.
func openStream(ctx context.Context, path string) (*os.File, error) {
	if path == standardInput {
		return os.Stdin, nil
	}
	return openWaiting(ctx, path, os.O_RDONLY)
}

func openWaiting(ctx context.Context, path string, flag int) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	opened := make(chan result, 1)
	go func() {
		f, err := os.OpenFile(path, flag, 0)
		opened <- result{f, err}
	}()
	select {
	case r := <-opened:
		if r.err != nil {
			return nil, openError(path, r.err)
		}
		return r.f, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// interruptible returns a reader of f that ends with ctx, even while f has nothing
// to read. Its Close leaves f to whoever opened it.
func interruptible(ctx context.Context, f *os.File) io.ReadCloser {
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{f}, make([]byte, readBuffer))
		w.CloseWithError(err)
		stop()
	}()
	return r
}

// WriteStream calls write with a writer to a target that is a stream. Waiting for whoever
// reads it ends with ctx.
func (t Target) WriteStream(ctx context.Context, write func(io.Writer) error) error {
	f := os.Stdout
	if t.Path != standardInput {
		var err error
		if f, err = openWaiting(ctx, t.Path, os.O_WRONLY); err != nil {
			return err
		}
	}
	r, w := io.Pipe()
	copied := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{r}, make([]byte, readBuffer))
		r.CloseWithError(err)
		copied <- err
	}()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	defer stop()
	written := write(w)
	w.CloseWithError(written)
	select {
	case err := <-copied:
		if written == nil && err == nil {
			err = f.Close()
		}
		if err == nil {
			err = written
		}
		if err != nil {
			return outputError(t.Path, "write", err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
