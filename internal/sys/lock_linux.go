package sys

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// TryLock takes the exclusive lock of an open file, which ends with its last
// descriptor. It does not wait: a lock that another has is EWOULDBLOCK.
func TryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("flock: %w", err)
		}
		return nil
	}
}
