//go:build !linux

package sys

import (
	"errors"
	"math"
	"os"
	"runtime"
)

// Unlimited stands for a resource limit that is not set.
const Unlimited = math.MaxInt64

// MaxProcessors bounds the number of a logical processor.
const MaxProcessors = 8192

// ProcessAffinity returns as many processors as the runtime counts: which ones
// they are is not known here.
func ProcessAffinity() ([]int, error) {
	cpus := make([]int, runtime.NumCPU())
	for i := range cpus {
		cpus[i] = i
	}
	return cpus, nil
}

// AddressSpaceLimit is not available here.
func AddressSpaceLimit() (int64, error) { return 0, errors.ErrUnsupported }

// FileSizeLimit is not available here.
func FileSizeLimit() (int64, error) { return 0, errors.ErrUnsupported }

// RAM is not available here.
func RAM() (total, free int64, err error) { return 0, 0, errors.ErrUnsupported }

// FreeSpace is not available here.
func FreeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }

// TryLock is not available here.
func TryLock(*os.File) error { return errors.ErrUnsupported }

// CalmMonitor does nothing here.
func CalmMonitor() {}

// AskHuge does nothing here.
func AskHuge([]byte) {}
