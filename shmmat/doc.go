// Package shmmat is the shared-memory segment and everything that lives in it:
// its layout, the matrices, the job records, the mailboxes and the scoreboard.
//
// A pool has one control segment for as long as it lives, and a data segment for
// each job that is under way, which the next one takes over if it fits:
//
//	control segment                        data segment
//	+----------------------------+         +----------------------------+ 0
//	| header                     |         | header                     |
//	+----------------------------+ 2 MiB   +----------------------------+ 2 MiB
//	| scoreboard                 |         | A, B  as stored (optional) |
//	| job records                |         | C₀    row-major (optional) |
//	| mailboxes, one pair each   |         | A panels                   |
//	+----------------------------+         | B panels                   |
//	                                       | their checksums (optional) |
//	                                       | C     row-major            |
//	                                       +----------------------------+
//
// What its owner keeps from job to job, a matrix or the panels of an operand and
// their checksums, lies alone in a segment like the data segment, with its own
// number.
//
// Every region starts at a multiple of 2 MiB in the file and in memory, so
// that the kernel can back it with huge pages; between the end of a region and
// the start of the next lies address space that is mapped nowhere. A stray
// access there faults, and [View.Find] says beside which region.
//
// # Who trusts whom
//
// The master trusts nothing that it reads here: what it needs to be right it
// keeps in private memory, and every word a worker may have written is read
// once, compared with what the master expects, and dropped if it does not fit.
// A worker trusts the master, but checks what would lead it outside its views,
// so that a bug ends in an error. Nobody trusts that a peer is alive.
//
// Mailboxes and scoreboard work on any memory: a segment of kind [Heap] runs
// the same code where no other process is wanted, which is also how the race
// detector gets to see it.
package shmmat
