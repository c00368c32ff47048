package sys

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// A tie is a moment on Go's monotonic clock and on CLOCK_MONOTONIC.
type tie struct {
	wall time.Time
	mono int64
}

// start ties Go's monotonic clock to CLOCK_MONOTONIC, so that the processes of
// a machine can compare their times without a system call each. Of several
// readings the closest counts: the first may hold a page fault.
var start = func() (best tie) {
	least := time.Duration(math.MaxInt64)
	for range 8 {
		t, gap := tieClocks()
		if gap < least {
			best, least = t, gap
		}
	}
	return best
}()

// tieClocks reads both clocks. The gap is twice what the tie may be wrong by.
func tieClocks() (t tie, gap time.Duration) {
	var ts unix.Timespec
	before := time.Now()
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) == nil {
		t.mono = ts.Nano()
	}
	gap = time.Since(before)
	t.wall = before.Add(gap / 2)
	return t, gap
}

// Monotonic returns nanoseconds on a clock that all processes of this machine
// share, and that does not run while the machine sleeps.
func Monotonic() int64 { return start.mono + int64(time.Since(start.wall)) }

// ProcessorTime returns the processor time that all threads of a process have
// had so far, those that have ended included; pid 0 is this process. See
// clock_getcpuclockid(3), whose arithmetic this is.
func ProcessorTime(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return 0, fmt.Errorf("clock_gettime(process %d): %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
