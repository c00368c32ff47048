package shmmat

import "sync/atomic"

// Depth is the number of slots in each direction of a mailbox: the most tasks
// that one worker can hold, the one it works on included.
const Depth = 8

// A slot is one cache line of a mailbox. The stamp binds the payload to an
// epoch of the worker and a place in the sequence; it is written last and read
// first, so a payload is seen whole or not at all, and what an earlier worker
// in the same place left behind matches nothing.
type slot[P any] struct {
	stamp   atomic.Uint64 // epoch<<32 | sequence; written by the sender
	payload P             // written by the sender, before stamp
}

// A ring is one end of a single-producer, single-consumer queue of Depth
// slots. The place in it is private to each end. There is no shared count of
// free slots: the master never has more than Depth tasks out with a worker
// whose answers it has not taken, so neither direction can overrun.
type ring[P any] struct {
	slots *[Depth]slot[P]
	epoch uint32
	next  uint32 // sequence of the next slot to write or read; wraps around
}

func (r *ring[P]) here() (*slot[P], uint64) {
	return &r.slots[r.next%Depth], uint64(r.epoch)<<32 | uint64(r.next)
}

// put publishes p in the next slot.
func (r *ring[P]) put(p P) {
	s, stamp := r.here()
	s.payload = p
	s.stamp.Store(stamp)
	r.next++
}

// waiting reports whether the next slot has been published.
func (r *ring[P]) waiting() bool {
	s, stamp := r.here()
	return s.stamp.Load() == stamp
}

// take copies the next payload out, once, if it has been published.
func (r *ring[P]) take() (p P, ok bool) {
	if !r.waiting() {
		return p, false
	}
	s, _ := r.here()
	p = s.payload
	r.next++
	return p, true
}
