package master

import (
	"math"
	"slices"
	"time"
)

// Processors that are alike are not equally fast where others use them, too, or what
// they share. Where each worker does one strip of C, there is nothing left for who ends
// first; so the pool remembers how fast they were the last times, and lets the edges
// between strips follow. Where that tells little of the next time, because speeds change
// within a job, strips leave a part of C to those who end first, which costs speed.

const (
	memory  = 100 * time.Millisecond // of work, after which most of what was known is forgotten
	mostNew = 0.25                   // of what is known after a job, from this job
	mostOff = 0.1                    // that a job may differ from what is known: one was held up for once
	holds   = 2                      // how many times that by which speeds usually differ from what is known strips hold back
)

// speeds returns how fast each member was, by all of them, and how much a job usually
// differs from that.
func (p *Pool) speeds() (s []float64, unsteady float64) {
	s = make([]float64, len(p.members))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, m := range p.members {
		s[i] = m.speed
	}
	return s, p.unsteady
}

// learn takes note of the rates at which members did their strips of a job; some are 0
// if one did more than one. The caller holds the mutex.
func (p *Pool) learn(rates []float64, took time.Duration) {
	if len(rates) == 0 || slices.Min(rates) == 0 {
		return
	}
	usual := 0.0
	for _, v := range rates {
		usual += v / float64(len(rates))
	}
	part := min(mostNew, float64(took)/float64(memory))
	off := 0.0
	for i, m := range p.members {
		off += math.Abs(rates[i]/usual-m.speed) / float64(len(rates))
		m.speed += part * min(max(rates[i]/usual-m.speed, -mostOff), mostOff)
	}
	p.unsteady += part * (min(off, mostOff) - p.unsteady)
}
