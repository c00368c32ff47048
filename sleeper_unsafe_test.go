//go:build linux

package matmul_test

import (
	"sync/atomic"
	"unsafe"
)

// sleeperWords are what a bare sleeper and its waker share, each word with one
// writer and a cache line of its own.
type sleeperWords struct {
	calls atomic.Uint32 // the waker's: how often it has called; the futex word
	_     [60]byte
	begun atomic.Int64 // the sleeper's: when it woke, sys.Monotonic nanoseconds
	heard atomic.Uint32
	_     [52]byte
}

// wordsIn lays the words over shared memory.
func wordsIn(mem []byte) *sleeperWords {
	return (*sleeperWords)(unsafe.Pointer(&mem[:unsafe.Sizeof(sleeperWords{})][0]))
}
