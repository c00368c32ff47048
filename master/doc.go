// Package master owns the segment and the task table: it starts, feeds,
// watches and replaces workers, and knows which tasks are done.
//
// Contract: a task counts as done when its answer, in the epoch and order in
// which it was sent, has been taken from the worker's mailbox; the private
// table is the only authority on that. A task whose worker has died is given
// out again, only after the dead process was reaped. Each job ends in one of
// three ways: all tasks done, one error, or the context's; in none of them is
// a worker still writing for it when Run returns.
//
// Any goroutine may call a pool's methods. Jobs that run at the same time share
// the workers: of the tasks that are ready, one of the job with the highest
// priority comes first, of equals the one of the job that was there first, and
// within a job the one with the lowest number. A task is never interrupted, and
// a worker is given few ahead, so that a job of higher priority waits for no
// more than what workers hold. One of the goroutines that wait for work drives
// the pool for all of them; see drive.go.
package master
