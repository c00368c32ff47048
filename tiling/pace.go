package tiling

import (
	"cmp"
	"math"
	"slices"
)

// A Pace knows how fast workers do a job's tiles, and so what each should take of
// those that are left, for all to end at the same time. Workers are counted from
// 0, times are nanoseconds of any clock. It is not safe for concurrent use. That of a
// plan whose tiles are as they are is nil, and knows nothing.
type Pace struct {
	workers []pace
	ends    []ending // scratch
}

// pace is what is known of a worker.
type pace struct {
	speed float64 // by the usual one, as it was before; 0 if it may not come
	out   float64 // operations that it has taken and not done
	since int64   // when it began with the first of them
	done  float64 // operations that it has done
	busy  int64   // in how long
}

// there reports whether the worker will come, or has taken anything, and was not lost
// since.
func (x *pace) there() bool { return x.speed > 0 || x.out > 0 || x.done > 0 }

// ending is when a worker will have done what it has.
type ending struct{ at, rate float64 }

// NewPace returns the Pace of so many workers that have done nothing of a plan yet.
// If they are those that the plan is for, speeds are how fast each was before, by the
// usual speed; nil if that is not known, and strips are of equal size.
func NewPace(pl *Plan, workers int, speeds []float64) *Pace {
	strips := pl.Strips() && len(speeds) == pl.Tasks()
	if !strips && !pl.cuts() {
		return nil
	}
	p := &Pace{workers: make([]pace, workers)}
	if strips {
		for i, v := range speeds {
			p.workers[i].speed = v
		}
	}
	return p
}

// Took records that a worker has taken a tile of so many operations.
func (p *Pace) Took(w int, flops float64, now int64) {
	if p == nil {
		return
	}
	x := &p.workers[w]
	if x.out == 0 {
		x.since = now
	}
	x.out += flops
}

// Did records that a worker has done the first of those that it had taken.
func (p *Pace) Did(w int, flops float64, now int64) {
	if p == nil {
		return
	}
	x := &p.workers[w]
	x.out = max(0, x.out-flops)
	x.done += flops
	x.busy += now - x.since
	x.since = now
}

// Lost records that a worker has lost all that it had taken, and takes nothing now.
func (p *Pace) Lost(w int) {
	if p != nil {
		p.workers[w] = pace{}
	}
}

// Share returns how many operations, of so many that nobody has taken yet, a worker
// should take for all to end together, if the others go on as until now.
func (p *Pace) Share(w int, open float64, now int64) float64 {
	if p == nil {
		return math.Inf(1)
	}
	if open <= 0 {
		return 0
	}
	usual := p.usual()
	mine := p.ending(w, usual, now)
	p.ends = append(p.ends[:0], mine)
	for i := range p.workers {
		if i != w && p.workers[i].there() {
			p.ends = append(p.ends, p.ending(i, usual, now))
		}
	}
	slices.SortFunc(p.ends, func(a, b ending) int { return cmp.Compare(a.at, b.at) })
	// Who ends first goes on until the next one does; then both, and so on.
	at, rate := 0.0, 0.0
	for _, e := range p.ends {
		done := rate * (e.at - at)
		if done >= open {
			break
		}
		open, at, rate = open-done, e.at, rate+e.rate
	}
	return mine.rate * max(0, at+open/rate-mine.at)
}

// usual returns the rate of all workers that have done something together, in
// operations a nanosecond for each of them; 1 if nobody has.
func (p *Pace) usual() float64 {
	done, busy := 0.0, int64(0)
	for i := range p.workers {
		done, busy = done+p.workers[i].done, busy+p.workers[i].busy
	}
	if done == 0 || busy <= 0 {
		return 1
	}
	return done / float64(busy)
}

// ending returns when a worker will have done what it has, in nanoseconds from now on.
func (p *Pace) ending(w int, usual float64, now int64) ending {
	x := &p.workers[w]
	e := ending{rate: usual}
	switch {
	case x.done > 0 && x.busy > 0:
		e.rate = x.done / float64(x.busy)
	case x.speed > 0:
		e.rate *= x.speed
	}
	if x.out > 0 {
		e.at = max(0, x.out/e.rate-float64(now-x.since))
	}
	return e
}
