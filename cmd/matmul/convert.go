package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"matmul/internal/matfile"
	"matmul/internal/sys"
	"matmul/tune"
)

// formatFlag registers --format.
func formatFlag(cmd *cobra.Command) *string {
	format := cmd.Flags().String("format", "", "format of the output: npy, npz, mtx, csv, tsv, txt or raw (default: by its extension, else npy)")
	complete(cmd, "format", matfile.FormatNames()...)
	return format
}

// parseTarget reads where the output goes, and how.
func parseTarget(out, format string) (to matfile.Target, err error) {
	if format != "" {
		if _, err := matfile.ParseFormat(format); err != nil {
			return to, flagError("format", err)
		}
	}
	if to, err = matfile.ParseTarget(out, format); err != nil {
		return to, err
	}
	if out == "-" && !to.Format.IsText() && isatty.IsTerminal(os.Stdout.Fd()) {
		return to, usagef("-o -: standard output is a terminal: want a pipe, or --format csv")
	}
	return to, nil
}

// outputDir returns the directory in which files are made on the way to the target.
func outputDir(to matfile.Target) string {
	if to.Stream {
		return os.TempDir()
	}
	return filepath.Dir(to.Path)
}

// newOpener returns what opens operands, with copies in dir of those that are not
// read in place.
func newOpener(dir string, limits *tune.Limits, show progress) *matfile.Opener {
	copies := int64(0)
	return &matfile.Opener{
		Dir: dir,
		Afford: func(size, more int64) error {
			copies += more
			return affordCopies(dir, limits, size, more, copies)
		},
		Progress: func(name string) (func(done, total int64), func()) {
			bar := show.start("read "+name, nil)
			return bar.set, bar.end
		},
	}
}

// openInputs opens the operands.
func (p *product) openInputs(ctx context.Context, a, b string) (err error) {
	p.in, err = p.open(ctx, newOpener(outputDir(p.to), p.crew.limits, p.show), a, b)
	return err
}

// affordCopies returns an error if a copy of an input cannot grow to size bytes, by
// more, so that all copies in dir have total bytes.
func affordCopies(dir string, limits *tune.Limits, size, more, total int64) error {
	if size > limits.FileSize {
		return resourceError{fmt.Errorf("files may not be larger than %s (ulimit -f): the copy of an input takes at least %s",
			tune.FormatBytes(limits.FileSize), tune.FormatBytes(size))}
	}
	fs, err := sys.FileSystemOf(dir)
	if err != nil {
		return nil // writing will show it
	}
	if more > fs.Free {
		return resourceError{fmt.Errorf("not enough space in %s: the copy of an input needs %s more, free are %s",
			dir, tune.FormatBytes(more), tune.FormatBytes(fs.Free))}
	}
	if !fs.InMemory {
		return nil
	}
	for _, limit := range limits.MemoryLimits {
		if !limit.PerProcess() && total > limit.Free() {
			return resourceError{fmt.Errorf("not enough memory: copies of inputs in %s need at least %s, and %s", dir, tune.FormatBytes(total), limit)}
		}
	}
	return nil
}

// convert writes c in the format of a target that is no plain .npy file. A file is
// read again if check is set, and is the caller's to commit; of a stream there is
// none.
func convert(ctx context.Context, to matfile.Target, c *matfile.File, file *matfile.Output, check bool, show progress) error {
	bar := show.start("write "+to.Path, nil)
	if to.Stream {
		defer bar.end()
		return to.WriteStream(ctx, func(w io.Writer) error {
			_, err := to.Write(ctx, w, c, bar.set)
			return err
		})
	}
	written, err := to.Write(ctx, file.File(), c, bar.set)
	bar.end()
	if err != nil {
		return file.WriteError(err)
	}
	if !check {
		return nil
	}
	bar = show.start("read "+to.Path+" again", nil)
	read, err := to.Reread(ctx, file.File(), c.Info, bar.set)
	bar.end()
	switch unreadable := (*matfile.Error)(nil); {
	case errors.As(err, &unreadable):
		return wrongError{err}
	case err == nil && read != written:
		return wrongError{fmt.Errorf("%s: what was written is not what was read again; run again, the machine may be faulty", to.Path)}
	}
	return err
}

// convert writes C, which is computed and checked, in the format that was asked for.
func (p *product) convert(ctx context.Context) (err error) {
	start := time.Now()
	if !p.to.Stream {
		if p.sheet, err = matfile.CreateBlank(p.out, p.force, p.resume); err != nil {
			return err
		}
	}
	err = convert(ctx, p.to, &matfile.File{Info: p.dest.Info, File: p.dest.File()}, p.sheet, p.method != "", p.show)
	p.rep.Seconds.Write = time.Since(start).Seconds()
	return err
}

// publish gives the output its name.
func (p *product) publish() error {
	if p.to.IsPlain() {
		return p.dest.Commit()
	}
	if p.sheet != nil {
		if err := p.sheet.CommitUnlessThere(); err != nil {
			return err
		}
	}
	return p.dest.Abort()
}
