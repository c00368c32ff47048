// Package master owns the segment and the task table: it starts, feeds,
// watches and replaces workers, and knows which tasks are done.
//
// Contract: a task counts as done when its answer, in the epoch and order in
// which it was sent, has been taken from the worker's mailbox; the private
// table is the only authority on that. A task whose worker has died is given
// out again, only after the dead process was reaped. Each job ends in one of
// three ways: all tasks done, one error, or the context's; in none of them is
// a worker still writing when Run returns.
//
// One goroutine drives a pool at a time: Prepare, Run and Close wait for each
// other.
package master
