package trace

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"matmul/tiling"
)

// A Task is what a slice shows. Times are nanoseconds of one clock.
type Task struct {
	Job        string
	Seat       int // of the worker; -1 for the master; Desk(i) for who does small products there
	Kind       tiling.Kind
	ID         int64
	Rect       tiling.Rect // what it covers
	Flops      float64     // floating-point operations
	Sent       int64       // when it was handed out
	Begin, End int64
	Ready      int // tasks that could run and were not handed out, at its end
}

// A Step is what a slice shows of a rank of a product that several do together.
// Times are of the same clock as those of tasks.
type Step struct {
	Name       string
	Row        StepRow
	Number     int // of the step
	Begin, End int64
}

// A StepRow is where a rank's steps are shown: what it does itself, or the panels
// that come meanwhile.
type StepRow int

// The rows of steps.
const (
	Doing StepRow = iota
	Coming
)

// Waiting is the name of steps in which a rank does nothing.
const Waiting = "wait"

// Info is what a trace says of the program that wrote it. Limit is 0 if it is
// not known. A trace of ranks has a name, which is that of none of them, and says how
// many they are; Workers are those of each.
type Info struct {
	Program string  `json:"program"`
	Name    string  `json:"name,omitempty"`
	Ranks   int     `json:"ranks,omitempty"`
	Workers int     `json:"workers"`
	Kernel  string  `json:"kernel,omitempty"`
	Limit   float64 `json:"fma_limit_gflops,omitempty"` // of all workers together
}

// A Writer writes a trace. Any goroutine may call it.
type Writer struct {
	mu     sync.Mutex
	w      *bufio.Writer
	pid    int
	part   bool  // of a trace that another writer completes
	start  int64 // of the clock
	any    bool  // an event has been written
	rows   map[int]bool
	queue  int   // the last value of its counter,
	queued int64 // and when
	rate   rate
	line   []byte // of the event that is being written
	err    error
	closed bool
}

// process is the number of the process in a trace, of the first if there are several,
// and of the row of a process's master.
const process = 1

// NewWriter begins a trace of a program called name. start is the time, in
// nanoseconds of the clock that tasks are timed by, that becomes 0.
func NewWriter(w io.Writer, name string, start int64) *Writer {
	t := newWriter(w, process, start)
	t.line = append(t.line, `{"displayTimeUnit":"ms","traceEvents":[`...)
	t.flushLine()
	t.begins(name)
	return t
}

// NewPart begins the part of a trace that is about another process, the rank-th of
// those from 0 on, whose first has the Writer. What it writes is given to that
// one's Append.
func NewPart(w io.Writer, rank int, name string, start int64) *Writer {
	t := newWriter(w, process+rank, start)
	t.any, t.part = true, true
	t.begins(name)
	return t
}

func newWriter(w io.Writer, pid int, start int64) *Writer {
	t := &Writer{w: bufio.NewWriterSize(w, 64<<10), pid: pid, start: start, rows: map[int]bool{}, queue: -1}
	t.rate.write = t.speed
	return t
}

// begins names the process and its master.
func (t *Writer) begins(name string) {
	t.about("process_name", process, "name", string(quote(nil, name)))
	t.name(process, "master")
}

// Append adds what a part's Writer has written, piece by piece.
func (t *Writer) Append(part []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && !t.closed {
		_, t.err = t.w.Write(part)
	}
}

// Desk returns the seat of the i-th of those who do small products in the master,
// each all of one.
func Desk(i int) int { return mostWorkers + i }

// row returns the number of a seat's row.
func row(seat int) int { return process + 1 + seat }

// seat returns where steps are shown as if they were tasks: below those who compute.
func (r StepRow) seat() int { return 2*mostWorkers + int(r) }

// name returns what is written before a seat's row.
func name(seat int) string {
	switch seat {
	case Doing.seat():
		return "steps"
	case Coming.seat():
		return "panels"
	}
	if seat >= mostWorkers {
		return fmt.Sprintf("small products %d", seat-mostWorkers)
	}
	return fmt.Sprintf("worker %d", seat)
}

// Task writes what is to be seen of a task that was done. A seat's tasks must
// come in the order of their times.
func (t *Writer) Task(k Task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.err != nil {
		return
	}
	t.seat(k.Seat)
	t.slice(k)
	if k.Ready != t.queue && k.End-t.queued >= queueStep {
		t.queue, t.queued = k.Ready, k.End
		t.counter("queue", "tasks", k.End-t.start, float64(k.Ready))
	}
	t.rate.add(k.Begin-t.start, k.End-t.start, k.Flops)
}

// seat names a seat's row before its first slice.
func (t *Writer) seat(seat int) {
	if !t.rows[seat] && seat >= 0 {
		t.rows[seat] = true
		t.name(row(seat), name(seat))
	}
}

// Step writes what is to be seen of a step. Those of a row must come in the order of
// their times.
func (t *Writer) Step(s Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.err != nil {
		return
	}
	seat := s.Row.seat()
	t.seat(seat)
	t.span(s.Name, "step", s.Begin, s.End, seat)
	t.line = fmt.Appendf(t.line, `,"args":{"step":%d}}`, s.Number)
	t.flushLine()
}

// queueStep is the least time between two values of the queue's counter.
const queueStep = int64(time.Millisecond)

// Close completes the trace, or the part, which says nothing of the program, and
// returns the first error of writing it. Further calls do nothing.
func (t *Writer) Close(about Info) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return t.err
	}
	t.closed = true
	t.rate.flush()
	if !t.part {
		b, err := json.Marshal(about)
		t.err = errors.Join(t.err, err)
		t.line = append(append(append(t.line, "\n],\"otherData\":"...), b...), "}\n"...)
		t.flushLine()
	}
	if t.err == nil {
		t.err = t.w.Flush()
	}
	return t.err
}

// begin begins an event.
func (t *Writer) begin() {
	if t.any {
		t.line = append(t.line, ',')
	}
	t.any = true
	t.line = append(t.line, '\n')
}

func (t *Writer) flushLine() {
	if t.err == nil {
		_, t.err = t.w.Write(t.line)
	}
	t.line = t.line[:0]
}

// name names a row and gives it its place, below those with lower numbers.
func (t *Writer) name(tid int, name string) {
	t.about("thread_name", tid, "name", string(quote(nil, name)))
	t.about("thread_sort_index", tid, "sort_index", strconv.Itoa(tid))
}

// about writes an event that says something of the process or of a row.
func (t *Writer) about(what string, tid int, key, value string) {
	t.begin()
	t.line = fmt.Appendf(t.line, `{"name":%q,"ph":"M","pid":%d,"tid":%d,"args":{%q:%s}}`, what, t.pid, tid, key, value)
	t.flushLine()
}

// span begins a slice; what follows are its args.
func (t *Writer) span(name, category string, begin, end int64, seat int) {
	b := func(s string) { t.line = append(t.line, s...) }
	t.begin()
	b(`{"name":"`)
	b(name)
	b(`","cat":"`)
	b(category)
	b(`","ph":"X","ts":`)
	t.line = micros(t.line, begin-t.start)
	b(`,"dur":`)
	t.line = micros(t.line, max(end-begin, 0))
	b(`,"pid":`)
	t.line = strconv.AppendInt(t.line, int64(t.pid), 10)
	b(`,"tid":`)
	t.line = strconv.AppendInt(t.line, int64(row(seat)), 10)
}

// slice writes a task.
func (t *Writer) slice(k Task) {
	b := func(s string) { t.line = append(t.line, s...) }
	t.span(k.Kind.String(), "task", k.Begin, k.End, k.Seat)
	b(`,"args":{"job":`)
	t.line = quote(t.line, k.Job)
	b(`,"task":`)
	t.line = strconv.AppendInt(t.line, k.ID, 10)
	b(`,"rows":"`)
	t.line = between(t.line, k.Rect.R0, k.Rect.R1)
	b(`","columns":"`)
	t.line = between(t.line, k.Rect.C0, k.Rect.C1)
	b(`","wait_us":`)
	t.line = micros(t.line, max(k.Begin-k.Sent, 0))
	if k.Flops > 0 && k.End > k.Begin {
		b(`,"gflops":`)
		t.line = strconv.AppendFloat(t.line, k.Flops/float64(k.End-k.Begin), 'f', 2, 64)
	}
	b(`}}`)
	t.flushLine()
}

// counter writes a value at a time.
func (t *Writer) counter(name, unit string, at int64, value float64) {
	t.begin()
	t.line = append(t.line, `{"name":"`...)
	t.line = append(t.line, name...)
	t.line = append(t.line, `","ph":"C","ts":`...)
	t.line = micros(t.line, at)
	t.line = append(t.line, `,"pid":`...)
	t.line = strconv.AppendInt(t.line, int64(t.pid), 10)
	t.line = append(t.line, `,"args":{"`...)
	t.line = append(t.line, unit...)
	t.line = append(t.line, `":`...)
	t.line = strconv.AppendFloat(t.line, value, 'f', 3, 64)
	t.line = append(t.line, `}}`...)
	t.flushLine()
}

// speed writes the speed in the interval from at on.
func (t *Writer) speed(at int64, gflops float64) { t.counter("GFLOP/s", "GFLOP/s", at, gflops) }

// micros appends nanoseconds as microseconds. What was before the start is 0.
func micros(b []byte, ns int64) []byte {
	ns = max(ns, 0)
	b = strconv.AppendInt(b, ns/1000, 10)
	f := ns % 1000
	return append(b, '.', byte('0'+f/100), byte('0'+f/10%10), byte('0'+f%10))
}

// between appends the rows or columns of a rectangle.
func between(b []byte, from, to int64) []byte {
	b = strconv.AppendInt(b, from, 10)
	b = append(b, ':')
	return strconv.AppendInt(b, to, 10)
}

// quote appends a string as JSON has it.
func quote(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		panic(err) // of a string, there is none
	}
	return append(b, q...)
}
