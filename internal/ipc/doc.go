// Package ipc measures what it costs to hand data to another process of this
// machine: through the mailbox of package shmmat, with the data left where they
// are in shared memory, and through a Unix socket and a pipe, which copy them.
//
// What is timed is the way of one message: from before the sender hands it over
// until the receiver has read a word of each of its cache lines. The data are
// written by the sender shortly before, which is not timed, so that they lie in
// its caches as results do. Both processes have a processor each where there
// are two, and share the clock of [sys.Monotonic].
//
// Contract: the peer is this program started anew, trusts its parent, and ends
// with it. Nothing here is used by a product: package shmmat's mailbox is.
package ipc
