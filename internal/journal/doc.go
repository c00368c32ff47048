// Package journal remembers which rectangles of C are on disk, so that a job
// that was ended goes on where it was. The journal OUT.journal lies beside the
// part file OUT.part that holds the rectangles.
//
// Contract: a record is written only after the bytes of its rectangle have been
// synced, and is trusted only if it is whole, of this job, in its place, and if
// the bytes in the part file have the checksum that it says. A journal is read
// up to its first bad record. An fsync that failed is not repeated: nothing more
// is recorded. Nothing in a journal is believed before it is checked.
//
// The file is a header, padded to whole sectors, and records of 64 bytes. All
// numbers are little-endian:
//
//	header                              record
//	  0  magic "matmul\x00\x1b"           0  sequence uint64, from 0
//	  8  version uint32                   8  rows and columns of C, [r0, r1) × [c0, c1),
//	 12  length of the job uint32            four int64
//	 16  the job, JSON; then zeros       40  CRC-32C of the rectangle's bytes, row by row
//	 −4  CRC-32C of what stands before   44  first 8 bytes of the SHA-256 of the header
//	                                     52  zeros
//	                                     60  CRC-32C of what stands before
package journal
