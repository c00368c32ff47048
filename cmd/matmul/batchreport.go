package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"matmul/internal/batch"
)

// batchReport is what batch prints at its end.
type batchReport struct {
	Jobs    []jobReport `json:"jobs"`
	Done    int         `json:"done"`
	Before  int         `json:"done_before"`
	Failed  int         `json:"failed"`
	Skipped int         `json:"skipped"`
	Seconds float64     `json:"seconds"`
	// Wait is the longest time that the first task of a job was in the queue,
	// and Bound how long that might have been: see --plan.
	Wait  float64 `json:"longest_wait_s"`
	Of    string  `json:"longest_wait_of"` // the job's id
	Bound float64 `json:"longest_wait_bound_s"`
	// Unpinned is why workers have no processors of their own, if they have not.
	Unpinned string `json:"unpinned,omitempty"`
	// ABFT counts what checks of tiles found in the jobs that are done; nil without
	// them.
	ABFT *checks `json:"abft,omitempty"`
}

// jobReport is one job of it.
type jobReport struct {
	ID       string `json:"id"`
	Seq      int    `json:"seq"`
	Priority int    `json:"priority"`
	Out      string `json:"out"`
	M        int64  `json:"m"`
	N        int64  `json:"n"`
	K        int64  `json:"k"`
	DType    string `json:"dtype"`
	State    string `json:"state"`
	Exit     int    `json:"exit"`
	Error    string `json:"error,omitempty"`
	// Seconds is from the begin to when the output was made, without the time
	// that it then waited to be made durable with others.
	Seconds  float64 `json:"seconds"`
	Multiply float64 `json:"multiply_s"`
	GFLOPS   float64 `json:"gflops"`
	// Wait is from when the job could run to its begin, Queue from when its
	// tasks were in the queue to the first one's begin, and Bound the longest
	// that this might have been.
	Wait  float64 `json:"wait_s"`
	Queue float64 `json:"queue_s"`
	Bound float64 `json:"queue_bound_s"`
	// Kept is the rows of C from an earlier batch.
	Kept int64 `json:"kept_rows"`
	// Taken is how many operands were in shared memory already.
	Taken  int      `json:"operands_in_memory"`
	Verify *verdict `json:"verify,omitempty"`
	ABFT   *checks  `json:"abft,omitempty"`
}

// A jobsError is a batch not all of whose jobs are done.
type jobsError struct {
	error
	code int
}

// finish prints the report, and says how the batch has ended.
func (w *work) finish(took time.Duration) error {
	r := w.report(took)
	err := w.verdict(r)
	if r.Done+r.Before+r.Failed+r.Skipped == 0 && err != nil {
		return err
	}
	if print := r.print(w.cmd.OutOrStdout(), w.asJSON); print != nil && err == nil {
		return advise(print, "all jobs are done")
	}
	return err
}

// verdict says how the batch has ended: nil if all its jobs are done.
func (w *work) verdict(r *batchReport) error {
	stop := signalError{}
	switch {
	case w.broken != nil:
		return w.broken
	case errors.As(w.stopped, &stop) && w.log != nil:
		return resumeError{fmt.Errorf("stopped (%v); %d of %d jobs are done, go on with --resume", w.stopped, r.Done+r.Before, len(r.Jobs))}
	case w.stopped != nil && !errors.Is(w.stopped, errHalted):
		return w.stopped
	case r.Failed == 0 && r.Skipped == 0 && w.badLines == nil:
		return nil
	}
	code := 0
	for _, it := range w.items {
		if code == 0 && it.state == itemFailed {
			code = it.exit()
		}
	}
	if code == 0 {
		code = exitInput
	}
	text := fmt.Sprintf("%d of %d jobs failed, %d were skipped", r.Failed, len(r.Jobs), r.Skipped)
	if n := len(w.badLines); n > 0 {
		text += fmt.Sprintf(", %d line(s) were wrong", n)
	}
	return jobsError{errors.New(text), code}
}

// exit returns the job's exit status.
func (it *item) exit() int {
	if before := (earlierError{}); errors.As(it.err, &before) {
		return before.code
	}
	return exitCode(it.err)
}

func (w *work) report(took time.Duration) *batchReport {
	r := &batchReport{Jobs: make([]jobReport, len(w.items)), Seconds: took.Seconds(), Unpinned: w.unpinned}
	if w.abft {
		r.ABFT = &checks{}
	}
	bounds := w.waits()
	for i, it := range w.items {
		j := it.report(bounds[i])
		r.Jobs[i] = j
		if it.abft != nil && it.err == nil {
			r.ABFT.Wrong, r.ABFT.Retired = r.ABFT.Wrong+it.abft.Wrong, r.ABFT.Retired+it.abft.Retired
		}
		switch it.state {
		case itemDone:
			r.Done++
		case itemBefore:
			r.Before++
		case itemFailed:
			r.Failed++
		default:
			r.Skipped++
			r.Jobs[i].State = itemSkipped.String()
		}
		if j.Queue > r.Wait {
			r.Wait, r.Of, r.Bound = j.Queue, j.ID, j.Bound
		}
	}
	return r
}

func (it *item) report(bound batch.Wait) jobReport {
	j := jobReport{ID: it.ID, Seq: it.Seq, Priority: it.Priority, Out: it.Out, M: it.M, N: it.N, K: it.K,
		DType: it.elem.String(), State: it.state.String(), Verify: it.verdict, ABFT: it.abft, Kept: it.kept, Taken: it.taken, Queue: it.queued.Seconds(), Bound: bound.Longest().Seconds()}
	if it.err != nil {
		j.Error = it.err.Error()
	}
	if it.state == itemFailed {
		j.Exit = it.exit()
	}
	if !it.ended.IsZero() {
		j.Seconds, j.Wait = it.ended.Sub(it.began).Seconds(), it.began.Sub(it.came).Seconds()
	}
	if j.Multiply = it.seconds.Multiply; j.Multiply > 0 {
		j.GFLOPS = it.Flops() / j.Multiply / 1e9
	}
	return j
}

// print prints the report, with a line for each job.
func (r *batchReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	head := []string{"job", "priority", "m×n×k", "state", "time", "GFLOP/s", "wait", "verified"}
	if r.ABFT != nil {
		head = append(head, "wrong tiles")
	}
	t := newTable(head...)
	for i := range r.Jobs {
		j := &r.Jobs[i]
		if j.Seconds == 0 {
			t.row(oneLine(j.ID), fmt.Sprint(j.Priority), "", j.State, "", "", "", "")
			continue
		}
		verified := "no"
		if j.Verify != nil && j.Verify.OK {
			verified = j.Verify.Method
		}
		cells := []string{oneLine(j.ID), fmt.Sprint(j.Priority), fmt.Sprintf("%d×%d×%d", j.M, j.N, j.K), j.State,
			strings.TrimSpace(duration(j.Seconds)), fmt.Sprintf("%.1f", j.GFLOPS), strings.TrimSpace(duration(j.Wait + j.Queue)), verified}
		if j.ABFT != nil {
			cells = append(cells, fmt.Sprint(j.ABFT.Wrong))
		}
		t.row(cells...)
	}
	var text strings.Builder
	t.write(&text)
	fmt.Fprintf(&text, "%d done", r.Done)
	for _, c := range []struct {
		n    int
		what string
	}{{r.Before, "done before"}, {r.Failed, "failed"}, {r.Skipped, "skipped"}} {
		if c.n > 0 {
			fmt.Fprintf(&text, ", %d %s", c.n, c.what)
		}
	}
	fmt.Fprintf(&text, " in %s", strings.TrimSpace(duration(r.Seconds)))
	if r.Done > 0 {
		fmt.Fprintf(&text, ", %.1f jobs/s", float64(r.Done)/r.Seconds)
	}
	if r.Of != "" {
		fmt.Fprintf(&text, "; the longest wait in the queue was %s, of %s, and could have been %s",
			strings.TrimSpace(duration(r.Wait)), oneLine(r.Of), strings.TrimSpace(duration(r.Bound)))
	}
	text.WriteByte('\n')
	if r.ABFT != nil {
		fmt.Fprintf(&text, "%s\n", r.ABFT.text())
	}
	if r.Unpinned != "" {
		fmt.Fprintf(&text, "pinning: none: %s\n", r.Unpinned)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// A table is text in columns: the first to the left, the others to the right.
type table struct {
	rows  [][]string
	width []int
}

func newTable(head ...string) *table {
	t := &table{width: make([]int, len(head))}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		t.width[i] = max(t.width[i], utf8.RuneCountInString(c))
	}
	t.rows = append(t.rows, cells)
}

func (t *table) write(b *strings.Builder) {
	for _, cells := range t.rows {
		line := ""
		for i, c := range cells {
			pad := strings.Repeat(" ", t.width[i]-utf8.RuneCountInString(c))
			if i == 0 {
				line = c + pad
			} else {
				line += "  " + pad + c
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
