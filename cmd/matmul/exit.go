package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/cobra"

	"matmul/internal/matfile"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// The exit codes. They are documented in `matmul help exit-codes`, and do not
// change.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitWrong    = 3
	exitInput    = 4
	exitResource = 5
	exitWorkers  = 6
	exitResume   = 75
	exitSignal   = 128 // plus the signal's number
)

const exitCodesHelp = `The exit status of every command:

    0      done: results are right and on disk
    1      failed for a reason that is none of the following
    2      usage: unknown command, flag or value
    3      verification failed: C is not the product
    4      bad input: a file is missing, malformed, of the wrong shape or
           type, or the output may not be written
    5      not enough memory, disk or another resource
    6      workers died faster than they could be replaced
    75     stopped, and can be resumed
    128+n  ended by signal n (130: Ctrl-C, 143: SIGTERM)

After any status but 0 there is one line on standard error that says what is
wrong, and no output file has been created, changed or replaced. (A batch has a
line for each job that failed, whose output is as it was, and ends with the
status of the first of them; the others have their outputs. If only the
report could not be printed, the line says that the file is complete. A run with
checkpoints leaves what --resume goes on with. A trace is complete however the
run ends. A search for the best sizes that
is stopped keeps what it found, and a sweep its points.)`

func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "Show the exit codes of all commands",
		Long:  exitCodesHelp,
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintln(cmd.OutOrStdout(), exitCodesHelp)
			return nil
		},
	}
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// flagError says which flag's value makes no sense, and why.
func flagError(name string, err error) error { return usagef("--%s: %w", name, err) }

// wrongError is a result that did not pass verification.
type wrongError struct{ error }

// resourceError is a machine that has too little of something.
type resourceError struct{ error }

func (e resourceError) Unwrap() error { return e.error }

// signalError is a signal that asked for the end.
type signalError struct{ sig syscall.Signal }

func (e signalError) Error() string { return fmt.Sprintf("ended by signal: %v", e.sig) }

// resumeError is work that was stopped and can be resumed.
type resumeError struct{ error }

func (e resumeError) Unwrap() error { return e.error }

// resultError is a result that could not be printed.
type resultError struct{ error }

func (e resultError) Unwrap() error { return e.error }

// exitCode returns the exit status for an error.
func exitCode(err error) int {
	var (
		usage    usageError
		wrong    wrongError
		resource resourceError
		signal   signalError
		resume   resumeError
		result   resultError
		input    *matfile.Error
		file     *master.FileError
		rank     rankError
		list     *listError
		batch    jobsError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &list):
		return list.code()
	case errors.As(err, &batch):
		return batch.code
	case errors.As(err, &resume):
		return exitResume
	case errors.As(err, &rank):
		return rank.code
	case errors.As(err, &signal):
		return exitSignal + int(signal.sig)
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &wrong), errors.Is(err, master.ErrWrong):
		return exitWrong
	case errors.As(err, &file):
		return fileCode(file)
	case errors.As(err, &result):
		return resultCode(err)
	case exhausted(err), diskFull(err):
		return exitResource
	case errors.Is(err, master.ErrWorkersLost):
		return exitWorkers
	case errors.As(err, &resource), errors.Is(err, matfile.ErrNoSpace), errors.Is(err, shmmat.ErrUnavailable),
		errors.Is(err, master.ErrFault), errors.Is(err, tiling.ErrTooLarge):
		return exitResource
	case errors.As(err, &input):
		return exitInput
	}
	return exitFailed
}

// exhausted reports whether the system refused memory, processes or open files.
func exhausted(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOMEM, syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// diskFull reports whether a disk, a quota or a limit of files was exhausted.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// resultCode returns the exit status for a result that could not be printed.
func resultCode(err error) int {
	if diskFull(err) {
		return exitResource
	}
	return exitFailed
}

// fileCode returns the exit status for a file that a worker could not use.
func fileCode(e *master.FileError) int {
	switch e.Status {
	case shmmat.NoSpace:
		return exitResource
	case shmmat.BadInput:
		return exitInput
	}
	return exitFailed
}

// inputf returns an error about a file or directory that cannot be used.
func inputf(path, format string, args ...any) error {
	return &matfile.Error{Path: path, Problem: fmt.Sprintf(format, args...)}
}
