// Command matmul multiplies large dense matrices from files, with a pool of
// worker processes that share a segment of memory. See the README for a tour,
// and `matmul help` for the commands.
package main

import (
	"context"
	"errors"
	"os"

	"matmul"
	"matmul/internal/ipc"
)

func main() {
	matmul.Main()
	ipc.Main()
	os.Exit(run(os.Args[1:]))
}

// run executes the command line and maps its error to an exit code.
func run(args []string) int {
	ctx, stop := withSignals(context.Background())
	defer stop()
	err := execute(ctx, args)
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, context.Canceled) || errors.Is(err, cause)) {
		err = cause // the signal, however deep down it was noticed
	}
	if rank := (rankError{}); err != nil && !(errors.As(err, &rank) && rank.silent) {
		say(os.Stderr, err)
	}
	return exitCode(err)
}

// execute runs the command that args name. What goes wrong before a command
// has begun to work is the user's way of calling it.
func execute(ctx context.Context, args []string) error {
	stdout := &checkedWriter{w: os.Stdout}
	root, began := newRoot(stdout)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = stdout.err
	}
	if result := (resultError{}); err != nil && !*began && !errors.As(err, &result) {
		err = usageError{err}
	}
	if usage := (usageError{}); errors.As(err, &usage) {
		return advise(err, "see '%s --help'", cmd.CommandPath())
	}
	return err
}
