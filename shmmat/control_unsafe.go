package shmmat

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Jobs is the number of jobs that can be prepared at once in a pool.
const Jobs = 64

// The control region, in cache lines of 64 bytes, words of one writer apart
// from words of another:
//
//	desk    1 line            bell of the master; many workers ring it
//	jobs    Jobs × 8 lines    job records; written by the master before it
//	                          hands out a task of the job
//	seats   workers × 54      one for each worker:
//	          3 lines           score: counters; written by the worker
//	          Jobs/2 lines      what it has done of each job; written by the worker
//	          1 line            what it does now; written by the worker
//	          1 line            bell of the worker; rung by the master
//	          1 line            progress; written by the worker
//	          Depth lines       tasks, master to worker
//	          Depth lines       answers, worker to master
type desk struct {
	bell atomic.Uint32
	_    [60]byte
}

type jobSlot struct {
	Job
	_ [512 - unsafe.Sizeof(Job{})]byte
}

type seat struct {
	score   score
	jobs    [Jobs]progress
	now     record
	bell    atomic.Uint32
	_       [60]byte
	steps   atomic.Uint64
	_       [56]byte
	tasks   [Depth]slot[taskPayload]
	answers [Depth]slot[answerPayload]
}

const (
	jobsOff  = unsafe.Sizeof(desk{})
	seatsOff = jobsOff + Jobs*unsafe.Sizeof(jobSlot{})
)

// ControlSize returns the bytes that the control region of a pool takes.
func ControlSize(workers int) int64 {
	return int64(seatsOff) + int64(workers)*int64(unsafe.Sizeof(seat{}))
}

// Board is the control region as a process sees it: master, workers and
// onlookers alike.
type Board struct {
	mem     []byte
	workers int
}

// OpenBoard lays the control structures over a control region, which must be
// zero before its first use.
func OpenBoard(region []byte, workers int) (*Board, error) {
	if workers < 1 || int64(len(region)) < ControlSize(workers) {
		return nil, fmt.Errorf("%w: control region of %d bytes for %d workers", ErrLayout, len(region), workers)
	}
	return &Board{region, workers}, nil
}

func (b *Board) desk() *desk { return (*desk)(unsafe.Pointer(unsafe.SliceData(b.mem))) }

func (b *Board) job(id uint32) *Job {
	p := unsafe.Pointer(unsafe.SliceData(b.mem))
	off := jobsOff + uintptr(id%Jobs)*unsafe.Sizeof(jobSlot{})
	return &(*jobSlot)(unsafe.Add(p, off)).Job
}

func (b *Board) seat(i int) *seat {
	if i < 0 || i >= b.workers {
		panic(fmt.Sprintf("shmmat: seat %d of %d", i, b.workers))
	}
	p := unsafe.Pointer(unsafe.SliceData(b.mem))
	return (*seat)(unsafe.Add(p, seatsOff+uintptr(i)*unsafe.Sizeof(seat{})))
}
