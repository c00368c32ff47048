package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// start ties Go's monotonic clock to CLOCK_MONOTONIC, so that the processes of
// a machine can compare their times without a system call each.
var start = func() (s struct {
	wall time.Time
	mono int64
}) {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) == nil {
		s.mono = ts.Nano()
	}
	s.wall = time.Now()
	return s
}()

// Monotonic returns nanoseconds on a clock that all processes of this machine
// share, and that does not run while the machine sleeps.
func Monotonic() int64 { return start.mono + int64(time.Since(start.wall)) }
