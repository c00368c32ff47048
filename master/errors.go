package master

import (
	"errors"
	"fmt"

	"matmul/shmmat"
)

// ErrWorkersLost is returned when workers die faster than tasks get done.
var ErrWorkersLost = errors.New("workers lost")

// ErrClosed is returned when a closed pool is used.
var ErrClosed = errors.New("pool is closed")

// errPanic is why a pool is not used any more in which the master's own arithmetic
// has panicked.
var errPanic = errors.New("the master panicked")

// ErrTooManyJobs is returned when more jobs are prepared and not closed than
// there are records for.
var ErrTooManyJobs = fmt.Errorf("more than %d jobs at a time", shmmat.Jobs)

// ErrFault is returned when memory of the segment could not be accessed,
// although it had been set aside.
var ErrFault = errors.New("shared memory failed")

// A FileError is returned when a worker could not read an input or write the
// output.
type FileError struct {
	Role shmmat.Role
	Path string
	// Status is BadInput if the file is not what it was said to be, NoSpace if
	// the output's disk, quota or file size limit is exhausted, and Failed if
	// the system could not read or write it.
	Status shmmat.Status
	Text   string
}

// Error names the file and what is wrong with it, in one line.
func (e *FileError) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.Text) }
