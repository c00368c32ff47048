package shmmat

import (
	"matmul/internal/elem"
	"matmul/tiling"
)

// The kinds of tasks that belong to the pool and to no job.
const (
	Attend tiling.Kind = 64 + iota // read one message from the socket and act on it
	Peak                           // measure the FMA limit for Rect.R0 nanoseconds; Rect.C0 is the ISA, Rect.C1 the type
	Quit                           // end
	Nop                            // do nothing: what a message costs; see master.Pool.Nops
)

// A Task is what a worker is asked to do.
type Task struct {
	Job  uint32 // whose record to use
	Kind tiling.Kind
	ID   int64       // its number in the job's plan; comes back in the answer
	Rect tiling.Rect // what it covers; see tiling.Plan.Rect

	// Sent is when the master handed it out, sys.Monotonic nanoseconds, if
	// somebody follows. It stays with the master.
	Sent int64
}

// OfJob reports whether the task is a job's, and not the pool's.
func (t Task) OfJob() bool { return t.Kind <= tiling.Store }

// taskPayload is a Task as a slot holds it.
type taskPayload struct {
	job, kind      uint32
	id             int64
	r0, r1, c0, c1 int64
	_              [8]byte
}

func (t Task) payload() taskPayload {
	return taskPayload{job: t.Job, kind: uint32(t.Kind), id: t.ID,
		r0: t.Rect.R0, r1: t.Rect.R1, c0: t.Rect.C0, c1: t.Rect.C1}
}

func (p taskPayload) task() Task {
	return Task{Job: p.job, Kind: tiling.Kind(p.kind), ID: p.id,
		Rect: tiling.Rect{R0: p.r0, R1: p.r1, C0: p.c0, C1: p.c1}}
}

// Status says how a task ended.
type Status uint32

// The ways a task ends. After any but Done and Wrong a text follows on the
// socket.
const (
	Done     Status = iota
	BadInput        // an input could not be read as what it was said to be
	NoSpace         // the output's disk is full
	Fault           // memory of the segment could not be accessed
	Failed          // anything else
	Wrong           // a tile failed its check, and is to be done again; see Finding
)

// An Answer is what a worker says when a task has ended.
type Answer struct {
	Job        uint32
	Status     Status
	ID         int64
	Begin, End int64 // sys.Monotonic nanoseconds
	Value      int64 // Peak: flop/s; Store, PackA and PackB: see Job.Sums; Multiply: see Finding; otherwise 0
}

// A Finding is what a worker knows of a tile that failed its check.
type Finding struct {
	PanelsA, PanelsB bool // do not agree with their checksums any more
	Processor        int  // that computed the tile; -1 if unknown
}

// Value returns the finding as an answer holds it.
func (f Finding) Value() int64 {
	v := int64(f.Processor) << 2
	if f.PanelsA {
		v |= 1
	}
	if f.PanelsB {
		v |= 2
	}
	return v
}

// FindingOf returns the finding that an answer holds.
func FindingOf(v int64) Finding {
	return Finding{PanelsA: v&1 != 0, PanelsB: v&2 != 0, Processor: int(v >> 2)}
}

// answerPayload is an Answer as a slot holds it.
type answerPayload struct {
	Answer
	_ [16]byte
}

// Job is all that a worker must know to do the tasks of a job, besides the
// descriptors, which come over its socket. It is of fixed size and lies in the
// control region.
type Job struct {
	ID       uint32
	Data     uint32 // number of the data segment that it lives in
	Type     elem.Type
	ISA      uint8 // gemm.ISA of the kernel
	Priority uint8 // 0–9
	M, N, K  int64
	Alpha    float64
	Beta     float64
	// A and B are the operands as PACK reads them: lanes × depths, which is
	// op(A) and op(B)ᵀ.
	A, B       Matrix
	C0, C, Out Matrix // C0 as given; C in its region; Out in its file; LD is at least N
	// PackedA and PackedB say that MULTIPLY finds op(A) and op(B) in panels, in
	// their regions or in the segment that A and B name; if not, where A and B are
	// stored there.
	PackedA, PackedB bool
	// Sums asks STORE for the CRC-32C of the bytes that it wrote, PackSums asks
	// PACK for that of the panels that it filled.
	Sums, PackSums bool
	// ABFT asks MULTIPLY to check its tile, and PACK for the checksums of what it
	// packs.
	ABFT       bool
	MC, KC, NC int32
}

// InitC returns where MULTIPLY finds C₀: where the caller put it in memory, or
// where LOAD put it, row-major.
func (j *Job) InitC() Matrix {
	if !j.C0.InFile {
		return j.C0
	}
	return Matrix{Rows: j.M, Cols: j.N, LD: j.N, Type: j.Type, Segment: j.C0.Segment}
}
