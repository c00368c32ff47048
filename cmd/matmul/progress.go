package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// progress shows how far long work is: bars on a terminal, plain lines
// elsewhere, nothing for work that is over soon. It writes to standard error.
type progress struct {
	mode progressMode
	w    io.Writer
}

type progressMode uint8

const (
	progressNever progressMode = iota
	progressLines
	progressBars
)

// progressFlag registers --progress.
func progressFlag(cmd *cobra.Command) *string {
	mode := cmd.Flags().String("progress", "auto", "show progress: auto, always or never")
	complete(cmd, "progress", "auto", "always", "never")
	return mode
}

// newProgress decides how to show progress.
func newProgress(mode string) (progress, error) {
	terminal := isatty.IsTerminal(os.Stderr.Fd())
	p := progress{mode: progressLines, w: os.Stderr}
	switch mode {
	case "never":
		p.mode = progressNever
	case "always":
	case "auto":
	default:
		return p, usagef("--progress %q: want auto, always or never", mode)
	}
	if terminal && p.mode != progressNever {
		p.mode = progressBars
	}
	return p, nil
}

const (
	patience = 500 * time.Millisecond // work that is over sooner shows nothing
	redraw   = 100 * time.Millisecond
	lineTime = 10 * time.Second // between plain lines
)

// A meter follows one piece of work.
type meter struct {
	done, total atomic.Int64
	note        atomic.Pointer[string] // what is said beside the name
	stop        chan struct{}
	finished    sync.WaitGroup
}

// set says how far the work is. Any goroutine may call it.
func (m *meter) set(done, total int64) {
	m.total.Store(total)
	m.done.Store(done)
}

// say puts a few words beside the name. Any goroutine may call it.
func (m *meter) say(note string) { m.note.Store(&note) }

// label returns the name with what is said beside it.
func (m *meter) label(name string) string {
	if note := m.note.Load(); note != nil && *note != "" {
		return name + ", " + *note
	}
	return name
}

// end takes the bar away.
func (m *meter) end() {
	close(m.stop)
	m.finished.Wait()
}

// note says something that is worth a line of its own.
func (p progress) note(format string, args ...any) {
	if p.mode != progressNever {
		fmt.Fprintf(p.w, "matmul: %s\n", oneLine(fmt.Sprintf(format, args...)))
	}
}

// start begins to show the progress of work, named in a few words. poll, if it
// is not nil, is asked for the state before each look at it.
func (p progress) start(name string, poll func(*meter)) *meter {
	m := &meter{stop: make(chan struct{})}
	if p.mode == progressNever {
		return m
	}
	m.finished.Go(func() {
		select {
		case <-m.stop:
			return
		case <-time.After(patience):
		}
		if poll == nil {
			poll = func(*meter) {}
		}
		if p.mode == progressBars {
			p.bar(name, m, poll)
		} else {
			p.lines(name, m, poll)
		}
	})
	return m
}

// bar draws until the work ends, and clears the line then.
func (p progress) bar(name string, m *meter, poll func(*meter)) {
	const layout = `{{string . "name"}} {{bar . "[" "=" ">" " " "]"}} {{percent . }} {{rtime . "%s left"}}`
	bar := pb.ProgressBarTemplate(layout).New(0).Set("name", name).
		Set(pb.CleanOnFinish, true).SetWriter(p.w).SetRefreshRate(redraw)
	bar.Start()
	defer bar.Finish()
	for {
		poll(m)
		bar.Set("name", m.label(name))
		bar.SetTotal(m.total.Load())
		bar.SetCurrent(m.done.Load())
		select {
		case <-m.stop:
			return
		case <-time.After(redraw):
		}
	}
}

// lines writes a line every ten seconds, or every tenth of the work if that
// takes longer.
func (p progress) lines(name string, m *meter, poll func(*meter)) {
	begin, last := time.Now(), int64(-1)
	for {
		select {
		case <-m.stop:
			return
		case <-time.After(lineTime):
		}
		poll(m)
		done, total := m.done.Load(), m.total.Load()
		if total == 0 || done == last {
			continue
		}
		last = done
		fmt.Fprintf(p.w, "%s: %d %% after %s\n", m.label(name), 100*done/total, time.Since(begin).Round(time.Second))
	}
}
