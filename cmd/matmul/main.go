// Command matmul multiplies large dense matrices from files, with a pool of
// worker processes that share a segment of memory. See the README for a tour,
// and `matmul help` for the commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"matmul"
)

func main() {
	matmul.Main()
	os.Exit(run(os.Args[1:]))
}

// run executes the command line and maps its error to an exit code.
func run(args []string) int {
	ctx, stop := withSignals(context.Background())
	defer stop()
	err := execute(ctx, args)
	if err == nil {
		return exitDone
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		err = cause // the signal, however deep down it was noticed
	}
	if !errors.Is(err, errSaid) {
		fmt.Fprintf(os.Stderr, "matmul: %v\n", err)
	}
	return exitCode(err)
}

// execute runs the command that args name. What goes wrong before a command
// has begun to work is the user's way of calling it.
func execute(ctx context.Context, args []string) error {
	began := false
	root := newRoot(&began)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !began {
		return usageError{err}
	}
	return err
}
