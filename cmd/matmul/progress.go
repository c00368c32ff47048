package main

import (
	"fmt"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// progress shows how far long work is: a bar for each piece of it on a
// terminal, plain lines elsewhere, nothing for work that is over soon. It writes
// to standard error, and uses no colours.
type progress struct{ d *display } // nil if nothing is shown

// progressFlags are --progress and --quiet.
type progressFlags struct {
	mode  string
	quiet bool
}

// progressFlag registers the flags.
func progressFlag(cmd *cobra.Command) *progressFlags {
	f := &progressFlags{}
	cmd.Flags().StringVar(&f.mode, "progress", "auto", "show progress: auto, always or never")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "show no progress, as --progress never does")
	complete(cmd, "progress", "auto", "always", "never")
	return f
}

// newProgress decides how to show progress.
func newProgress(f *progressFlags) (progress, error) {
	switch f.mode {
	case "never", "always", "auto":
	default:
		return progress{}, usagef("--progress %q: want auto, always or never", f.mode)
	}
	if f.quiet || f.mode == "never" {
		return progress{}, nil
	}
	terminal := isatty.IsTerminal(os.Stderr.Fd()) && os.Getenv("TERM") != "dumb"
	return progress{&display{w: os.Stderr, bars: terminal}}, nil
}

// isOff reports whether nothing is shown.
func (p progress) isOff() bool { return p.d == nil }

// note says something that is worth a line of its own.
func (p progress) note(format string, args ...any) {
	if !p.isOff() {
		p.d.note(fmt.Sprintf("matmul: %s\n", oneLine(fmt.Sprintf(format, args...))))
	}
}

// start begins to show the progress of work, named in a few words, below that of
// work which began before and goes on. poll, if it is not nil, is asked for the
// state before each look at it. Where there is no terminal, the work that began
// first stands for all.
func (p progress) start(name string, poll func(*meter)) *meter {
	m := &meter{d: p.d, name: oneLine(name), poll: poll, begin: time.Now()}
	if !p.isOff() {
		p.d.add(m)
	}
	return m
}

// limit says how to learn the FMA limit in GFLOP/s, which speeds are compared
// with. It is asked when a speed is shown for the first time.
func (p progress) limit(ask func() float64) {
	if !p.isOff() {
		p.d.askLimit = ask
	}
}
