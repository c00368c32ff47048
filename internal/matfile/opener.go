package matfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"matmul/internal/elem"
)

// An Opener opens matrices in any [Format]. Elements that can be read where they
// are (.npy, stored members of .npz, raw binary) are; others, and all that comes
// through a pipe, are decoded once into a copy: a file without a name, with the
// elements one after another.
type Opener struct {
	// Dir is where copies lie.
	Dir string
	// Text is the type that numbers in text become: Float64, or Float32.
	Text elem.Type
	// Afford is asked before a copy grows to size bytes, by more; nil allows it.
	Afford func(size, more int64) error
	// Progress may be nil. It is told when a file is decoded, and returns what
	// takes the news of it: bytes read and in all, and the end.
	Progress func(name string) (set func(done, total int64), end func())
}

// Open opens what the user named: a file, a member of an archive, a raw file with
// its layout, or "-". The caller closes it. What cannot be used is an [*Error];
// a copy for which there is no room is [ErrNoSpace] or what Afford returned.
// Waiting for a pipe ends with ctx.
func (o *Opener) Open(ctx context.Context, text string) (*File, error) {
	n, err := parseName(text)
	if err != nil {
		return nil, err
	}
	s, err := openSource(ctx, n)
	if err != nil {
		return nil, err
	}
	f, err := o.openFile(ctx, s)
	if err != nil {
		s.file.Close()
		return nil, nameError(err, text)
	}
	return f, nil
}

// openFile makes a File of s, which does not change while it does.
func (o *Opener) openFile(ctx context.Context, s *source) (*File, error) {
	if s.stream {
		return o.load(ctx, s, interruptible(ctx, s.file))
	}
	return settled(s.path, s.file, func(st fs.FileInfo, fresh bool) (*File, error) {
		s.st, s.fresh = st, fresh
		return o.load(ctx, s, io.NopCloser(io.NewSectionReader(s.file, 0, st.Size())))
	})
}

// A source is an open file or stream with a matrix in it.
type source struct {
	name
	file   *os.File
	stream bool
	st     fs.FileInfo // of a regular file; nil of a stream
	fresh  bool        // see settled
}

// size returns the bytes of a regular file, 0 for a stream.
func (s *source) size() int64 {
	if s.st == nil {
		return 0
	}
	return s.st.Size()
}

// openSource opens what n names.
func openSource(ctx context.Context, n name) (s *source, err error) {
	s = &source{name: n, stream: isStream(n.path)}
	if s.stream {
		s.file, err = openStream(ctx, n.path)
	} else {
		s.file, err = openRegular(n.path)
	}
	return s, err
}

// load makes a File of s, which reader reads from its beginning. A fresh file that
// can be used, as far as that is seen before all of it is read, may be errFresh.
func (o *Opener) load(ctx context.Context, s *source, reader io.ReadCloser) (*File, error) {
	defer reader.Close()
	count, end := o.count(ctx, s)
	defer end()
	r := bufio.NewReader(count(reader)) // a header takes little, and a matrix that is read in place no more
	head, err := r.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, s.readError(err)
	}
	if s.layout != nil {
		return o.elements(s, r, *s.layout)
	}
	format, err := detect(s.path, head)
	if err != nil {
		return nil, err
	}
	if s.member != "" && format != Npz {
		return nil, &Error{Problem: "is no .npz archive, which alone has members"}
	}
	switch format {
	case Npz:
		return o.openMember(s, count)
	case Npy:
		in, err := Parse(r)
		if err != nil {
			return nil, err
		}
		return o.elements(s, r, in)
	}
	text := bufio.NewReaderSize(r, readBuffer)
	if format == Market {
		return o.decode(s, func(c *scratch) (Info, error) { return decodeMarket(text, c) })
	}
	return o.decode(s, func(c *scratch) (Info, error) { return readText(text, c) })
}

// count returns what makes a reader end with ctx and tell how much of s was read.
func (o *Opener) count(ctx context.Context, s *source) (wrap func(io.Reader) io.Reader, end func()) {
	set, end := func(int64, int64) {}, func() {}
	if o.Progress != nil && s.st != nil {
		set, end = o.Progress(s.text)
	}
	return func(r io.Reader) io.Reader { return &counter{ctx: ctx, r: r, total: s.size(), set: set} }, end
}

// A counter is a reader that ends with its context and tells what it has read.
type counter struct {
	ctx         context.Context
	r           io.Reader
	done, total int64
	set         func(done, total int64)
}

func (c *counter) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	c.done += int64(n)
	c.set(c.done, c.total)
	return n, err
}

// elements opens a matrix that lies in s as in describes it. r stands at its
// first element.
func (o *Opener) elements(s *source, r io.Reader, in Info) (*File, error) {
	if s.st == nil {
		return o.copyElements(s, r, in)
	}
	f := s.inPlace(in)
	if err := f.checkSize(s.size()); err != nil {
		return nil, err
	}
	return f, nil
}

// inPlace returns the File of elements that are read where they are.
func (s *source) inPlace(in Info) *File {
	in.Path = s.text
	return &File{Info: in, File: s.file, path: s.path, opened: identify(s.st)}
}

// copyElements copies the elements that in describes from r, which must then end.
func (o *Opener) copyElements(s *source, r io.Reader, in Info) (*File, error) {
	return o.decode(s, func(c *scratch) (Info, error) {
		whole := &File{Info: in}
		if err := c.grant(in.DataSize()); err != nil {
			return in, err
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{c}, io.LimitReader(r, in.DataSize()), make([]byte, readBuffer))
		if err == nil && n < in.DataSize() {
			err = whole.checkSize(in.Offset + n)
		}
		if err == nil {
			err = wholeRead(r, whole)
		}
		in.Offset = 0
		return in, err
	})
}

// wholeRead returns an error unless r is at its end.
func wholeRead(r io.Reader, whole *File) error {
	var more [1]byte
	_, err := io.ReadFull(r, more[:])
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return &Error{Problem: "goes on after its matrix", Want: fmt.Sprintf("%d bytes (%s)", whole.Offset+whole.DataSize(), whole.described())}
}

// decode makes a copy of s by read, which says what it holds.
func (o *Opener) decode(s *source, read func(*scratch) (Info, error)) (*File, error) {
	if s.fresh {
		return nil, errFresh
	}
	c, err := o.newScratch(s.text)
	if err != nil {
		return nil, err
	}
	in, err := read(c)
	if err != nil {
		c.file.Close()
		return nil, s.readError(err)
	}
	in.Path = s.text
	f := &File{Info: in, File: c.file, origin: s.file}
	if s.st != nil {
		f.path, f.opened = s.path, identify(s.st)
	}
	return f, nil
}

// readError names s in an error of the system.
func (s *source) readError(err error) error {
	var e *Error
	if errors.As(err, &e) || errors.Is(err, ErrNoSpace) || bare(err) == err {
		return err
	}
	return fmt.Errorf("read %s: %w", printable(s.text), bare(err))
}
