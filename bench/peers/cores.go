package main

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"matmul/internal/sys"
)

// How long a core is looked at, and the loop in between two looks at the clock.
const (
	coreTime  = 2 * time.Millisecond
	coreSlice = 1 << 14
)

// issueRate returns how many turns a second of a loop of integer instructions, as many at
// a time as a core can issue, processors reach at the same time: that of the slowest one,
// the median of short measurements. It falls to two thirds where somebody else uses the
// second thread of a core, which the FMA limit hardly shows: multiply-adds alone leave half
// of what a core can issue to others, a multiplication does not.
func issueRate(cpus []int) (float64, error) {
	rates, errs := make([]float64, len(cpus)), make([]error, len(cpus))
	var wg sync.WaitGroup
	for i, cpu := range cpus {
		wg.Go(func() {
			runtime.LockOSThread() // and so the thread ends with its affinity
			if errs[i] = sys.SetAffinity(0, []int{cpu}); errs[i] == nil {
				rates[i] = issueRateHere(coreTime)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return slices.Min(rates), nil
}

func issueRateHere(d time.Duration) float64 {
	var rates []float64
	for start := time.Now(); len(rates) == 0 || time.Since(start) < d; {
		t := time.Now()
		issue(coreSlice)
		rates = append(rates, coreSlice/max(1e-9, time.Since(t).Seconds()))
	}
	return median(rates)
}

// issue has eight chains of instructions that do not wait for each other.
func issue(n int) {
	var a, b, c, d, e, f, g, h uint64
	for i := range uint64(n) {
		a, b, c, d, e, f, g, h = a+i, b^i, c+i, d^i, e+i, f^i, g+i, h^i
		a, b, c, d, e, f, g, h = a^i, b+i, c^i, d+i, e^i, f+i, g^i, h+i
	}
	runtime.KeepAlive(a ^ b ^ c ^ d ^ e ^ f ^ g ^ h)
}
