package main

import (
	"time"

	"matmul/internal/gemm"
	"matmul/master"
	"matmul/tiling"
)

// taskMeter follows a job by the scoreboard: the blocks of its inputs that are
// packed before the first tile is begun, then its tiles, and at last the rows of
// tiles that are still to be stored.
func taskMeter(pool *master.Pool, job *master.Job) func(*meter) {
	var kinds [tiling.Store + 1]int64 // tasks of each, counted when they are first asked for
	var elements int64                // of the tiles
	flops := 2 * float64(job.K)       // for each element of C
	begun := false
	return func(m *meter) {
		if kinds == [tiling.Store + 1]int64{} {
			for id := range job.Tasks() {
				kinds[job.Kind(id)]++
				if r := job.Rect(id); job.Kind(id) == tiling.Multiply {
					elements += r.Rows() * r.Cols()
				}
			}
		}
		before, tiles, stores := kinds[tiling.PackA]+kinds[tiling.PackB]+kinds[tiling.LoadC0], kinds[tiling.Multiply], kinds[tiling.Store]
		done := pool.Board().Progress(job.ID())
		begun = begun || done.Tiles > 0 || multiplies(pool, job)
		switch {
		case !begun && before > 0:
			m.say("reading")
			m.count(done.Tasks, before, "blocks")
		case done.Elements < elements || stores == 0:
			m.say("")
			m.count(tiles*done.Elements/max(elements, 1), tiles, "tiles") // the last ones are done in parts
		default:
			m.say("storing")
			m.count(done.Tasks-before-done.Tiles, stores, "bands")
		}
		m.computed(float64(done.Elements) * flops)
	}
}

// multiplies reports whether a worker multiplies for a job now.
func multiplies(pool *master.Pool, job *master.Job) bool {
	for i := range pool.Workers() {
		if a, ok := pool.Board().Activity(i); ok && a.Job == job.ID() && a.Kind == tiling.Multiply {
			return true
		}
	}
	return false
}

// limitTime is how long the FMA limit is measured for people who look at a bar.
const limitTime = 500 * time.Microsecond

// peak estimates the FMA limit of the workers in GFLOP/s, from that of one
// processor.
func (c *crew) peak(k *gemm.Kernel) float64 {
	return gemm.Peak(k, limitTime) * float64(min(c.workers, len(c.limits.Affinity)))
}

// busyTimes returns how long each worker has worked, by the scoreboard, in
// seconds.
func busyTimes(pool *master.Pool) (seconds []float64) {
	for i := range pool.Workers() {
		seconds = append(seconds, pool.Board().Busy(i).Seconds())
	}
	return seconds
}
