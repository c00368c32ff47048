package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// aheadBytes is how much the kernel reads ahead at a request on every device: it
// cuts longer requests off.
const aheadBytes = 128 << 10

// ReadAhead asks the kernel to read a part of a file into its cache, and does not
// wait for it. It is a hint, nothing more.
func ReadAhead(f *os.File, offset, length int64) {
	for end := offset + length; offset < end; offset += aheadBytes {
		if unix.Fadvise(int(f.Fd()), offset, min(aheadBytes, end-offset), unix.FADV_WILLNEED) != nil {
			return
		}
	}
}
