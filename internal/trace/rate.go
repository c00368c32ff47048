package trace

import "time"

// Interval is the time over which the counter GFLOP/s is an average.
const Interval = 50 * time.Millisecond

// rate sums operations over intervals. A task's are spread evenly over its
// time; of one that took longer than the intervals that are kept, those before
// them are left out.
type rate struct {
	write func(at int64, gflops float64)
	first int64 // number of the interval in flops[0], of those since time 0
	flops [keptIntervals]float64
	used  int   // intervals that have something, or lie before one that has
	end   int64 // of the last task
}

// keptIntervals are 12.8 s.
const keptIntervals = 256

// add adds a task that began and ended at times in nanoseconds.
func (r *rate) add(begin, end int64, flops float64) {
	if flops == 0 || end <= begin {
		return
	}
	const width = int64(Interval)
	last := (end - 1) / width
	for r.first+keptIntervals <= last {
		if r.used == 0 {
			r.write(r.first*width, 0) // until the first of those that are kept from now on
			r.first = last - keptIntervals + 1
			break
		}
		r.shift(width)
	}
	r.end = max(r.end, end)
	perNano := flops / float64(end-begin)
	for i := max(begin/width, r.first); i <= last; i++ {
		overlap := min(end, (i+1)*width) - max(begin, i*width)
		r.flops[i-r.first] += perNano * float64(overlap)
		r.used = max(r.used, int(i-r.first)+1)
	}
}

// shift writes the first interval, of which so many nanoseconds count.
func (r *rate) shift(width int64) {
	r.write(r.first*int64(Interval), r.flops[0]/float64(width))
	copy(r.flops[:], r.flops[1:])
	r.flops[keptIntervals-1] = 0
	r.first++
	r.used = max(r.used-1, 0)
}

// flush writes what is left, and a zero at the end.
func (r *rate) flush() {
	if r.end == 0 {
		return
	}
	for r.used > 0 {
		r.shift(min(int64(Interval), r.end-r.first*int64(Interval)))
	}
	r.write(r.end, 0)
}
