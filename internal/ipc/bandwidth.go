package ipc

import (
	"runtime"
	"sync"
	"time"

	"matmul/internal/sys"
)

// eachReads is the memory that every processor reads: more than caches hold.
const eachReads = 64 << 20

// ReadBandwidth returns the bytes per second at which so many processors (all
// of cpus, or that number of threads if cpus is nil) read memory at once, each
// its own, as the median of some passes.
func ReadBandwidth(workers int, cpus []int) float64 {
	const passes = 5
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	ready.Add(workers)
	for i := range workers {
		done.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread goes with its affinity
			if i < len(cpus) {
				_ = sys.SetAffinity(0, cpus[i:i+1])
			}
			mem := make([]byte, eachReads)
			fill(mem, byte(i))
			ready.Done()
			<-begin
			for range passes {
				sink[i%len(sink)] += touch(mem)
			}
		})
	}
	ready.Wait()
	start := time.Now()
	close(begin)
	done.Wait()
	return passes * eachReads * float64(workers) / time.Since(start).Seconds()
}

// sink keeps reading from being optimised away.
var sink [64]byte
