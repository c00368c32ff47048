package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"matmul/internal/matfile"
	"matmul/internal/sys"
	"matmul/internal/trace"
	"matmul/master"
)

// traceFlag registers --trace.
func traceFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("trace", "", "write what each worker did when to `FILE`, for 'matmul trace' and Perfetto")
}

// A tracer writes the trace of one pool to a file. It is written while the jobs
// run, and stays when they fail. A nil tracer writes none.
type tracer struct {
	path string
	file *os.File
	w    *trace.Writer
	info trace.Info // what is known of the pool so far
}

// createTrace makes the file of --trace, nil if there is none. One that exists
// is replaced by force alone, and none of the inputs ever is.
func createTrace(path, program string, force bool, inputs ...*matfile.File) (*tracer, error) {
	if path == "" {
		return nil, nil
	}
	if err := matfile.CheckOutput(path, force, inputs...); err != nil {
		return nil, err
	}
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, how, 0o666)
	if err != nil {
		return nil, inputf(path, "the trace cannot be written: %v", reason(err))
	}
	return &tracer{path: path, file: f, w: trace.NewWriter(f, program, sys.Monotonic()), info: trace.Info{Program: "matmul " + version}}, nil
}

// hook returns what the pool tells of its tasks; nil without a trace.
func (t *tracer) hook() func(master.Event) {
	if t == nil {
		return nil
	}
	return t.task
}

// task notes a task.
func (t *tracer) task(e master.Event) {
	t.w.Task(trace.Task{Job: e.Job, Seat: e.Seat, Kind: e.Kind, ID: e.ID, Rect: e.Rect, Flops: e.Flops,
		Sent: e.Sent, Begin: e.Begin, End: e.End, Ready: e.Ready})
}

// about says who computes, and how fast it could be: gflops is the FMA limit of
// all workers together, 0 if it is not known.
func (t *tracer) about(workers int, kernel string, gflops float64) {
	if t != nil {
		t.info.Workers, t.info.Kernel, t.info.Limit = workers, kernel, gflops
	}
}

// close completes the trace. The jobs have ended with err, which is returned if
// it is an error; a trace that could not be written is one otherwise.
func (t *tracer) close(err error) error {
	if t == nil {
		return err
	}
	failed := t.w.Close(t.info)
	if closing := t.file.Close(); failed == nil {
		failed = closing
	}
	if err == nil && failed != nil {
		err = resultError{fmt.Errorf("write the trace to %s: %w", t.path, reason(failed))}
	}
	return err
}
