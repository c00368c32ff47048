// Package trace writes what workers did, and when, as a file in the Chrome
// trace-event format, and reads such files again. Perfetto and chrome://tracing
// show them.
//
// A file is one JSON object. Its traceEvents are:
//
//	"M"  the names of the process and of the rows: the master, and each worker
//	"X"  a slice for each task that was done: its kind is the name, its job, its
//	     number, what it covers and how long it waited are the args
//	"C"  counters: tasks that can run and were not handed out ("queue"), and
//	     "GFLOP/s", averaged over intervals of [Interval]
//
// Ranks of a product are a process each, numbered from 1 on in the order of their
// ranks, with two rows more: what a rank does itself, and the panels that come. Their
// slices have the category "step"; tasks have "task".
//
// Times (ts) and durations (dur) are microseconds, with three digits behind the
// point, since the trace began. A row's slices come in the order of their times
// and do not overlap.
//
// Contract: a Writer keeps no more than a few kilobytes, however many tasks it
// is told of, and what it has written is complete when it is closed, whatever
// happened to the job. A reader believes nothing: what is malformed is an error
// that names the event.
//
// The format is described in "Trace Event Format", a document of the Chromium
// project.
package trace
