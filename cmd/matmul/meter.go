package main

import (
	"fmt"
	"sync"
	"time"
)

// A meter follows one piece of work. Any goroutine may call its methods.
type meter struct {
	d     *display // nil if nothing is shown
	name  string
	poll  func(*meter)
	begin time.Time

	mu          sync.Mutex
	done, total int64
	first       int64     // done, when it was said for the first time in this unit,
	since       time.Time // and when that was, or was seen
	counted     bool      // it was said how far the work is
	unit        string    // what is counted; "" if that means nothing to people
	doing       string    // what is said beside the name
	flops       float64   // done so far
	speed       speed
}

// set says how far the work is.
func (m *meter) set(done, total int64) { m.count(done, total, "") }

// count says how far the work is, in units that people know.
func (m *meter) count(done, total int64, unit string) {
	m.mu.Lock()
	if !m.counted {
		m.counted, m.first, m.since = true, done, m.begin
	} else if unit != m.unit {
		m.first, m.since = done, time.Time{}
	}
	m.done, m.total, m.unit = done, total, unit
	m.mu.Unlock()
}

// say puts a few words beside the name.
func (m *meter) say(words string) {
	m.mu.Lock()
	m.doing = words
	m.mu.Unlock()
}

// computed says how many floating-point operations are done so far.
func (m *meter) computed(flops float64) {
	m.mu.Lock()
	m.flops = flops
	m.mu.Unlock()
}

// end ends the work and takes its bar away.
func (m *meter) end() {
	if m.d != nil {
		m.d.remove(m)
	}
}

// A glance is what is seen of a meter.
type glance struct {
	of          *meter
	name        string
	done, total int64
	count       string        // with its unit, "" without one
	gflops      float64       // now
	passed      time.Duration // since the work began
	left        string        // "" if it is not known
}

// look looks at the work, after it was asked for its state.
func (m *meter) look(now time.Time) glance {
	if m.poll != nil {
		m.poll(m)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := glance{of: m, name: m.name, done: min(m.done, m.total), total: m.total, passed: now.Sub(m.begin)}
	if m.doing != "" {
		l.name += ", " + oneLine(m.doing)
	}
	if m.unit != "" {
		l.count = fmt.Sprintf("%d/%d %s", l.done, l.total, m.unit)
	}
	if m.flops > 0 {
		l.gflops = m.speed.at(now, m.begin, m.flops)
	}
	if m.since.IsZero() {
		m.since = now
	}
	if m.first < l.done && l.done < l.total && now.After(m.since) {
		left := float64(now.Sub(m.since)) / float64(l.done-m.first) * float64(l.total-l.done)
		l.left = roughly(time.Duration(left)).String() + " left"
	}
	return l
}

// roughly rounds a time to what a look at a bar can take in.
func roughly(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d < time.Hour:
		return d.Round(time.Second)
	}
	return d.Round(time.Minute)
}

// percent returns how much of the work is done, rounded down.
func (l glance) percent() int64 {
	if l.total <= 0 {
		return 0
	}
	return int64(100 * float64(l.done) / float64(l.total))
}

// speedTime is what the speed that is shown is an average over, at least: a few
// tiles of each worker, since operations are counted when a tile is done.
const speedTime = 2 * time.Second

// A speed keeps what was done when, as far back as speedTime.
type speed struct{ past []sample }

type sample struct {
	at    time.Time
	flops float64
}

// at returns the speed now in GFLOP/s; before speedTime has passed, since begin.
func (s *speed) at(now, begin time.Time, flops float64) float64 {
	if s.past == nil {
		s.past = []sample{{begin, 0}}
	}
	for len(s.past) > 1 && now.Sub(s.past[1].at) >= speedTime {
		s.past = s.past[1:]
	}
	first := s.past[0]
	s.past = append(s.past, sample{now, flops})
	return (flops - first.flops) / max(now.Sub(first.at).Seconds(), 1e-9) / 1e9
}
