// Command peers times matmul beside the BLAS libraries of a machine: OpenBLAS,
// BLIS, MKL, or any other shared object with a CBLAS interface, and gonum.
//
// Contract: every contender lives in a process of its own, which is this
// program started anew; its answers are checked before they are timed; all are
// warm, take turns within one run, and are silent in each other's. README.md
// says what is timed and how the ratios and their bounds are computed.
//
// The libraries run with all rights of the user: only name ones that you trust.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"matmul"
	"matmul/internal/sys"
)

func main() {
	becomeChild()
	sys.CalmMonitor() // of the harness, which is to disturb nobody
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// becomeChild does not return in a process that was started as a worker of
// matmul or as a contender.
func becomeChild() {
	matmul.Main()
	if os.Getenv(childMark) != "" {
		os.Exit(serve())
	}
}

// run measures what the arguments ask for. Results go to out, progress to log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	o, err := parseOptions(args, log)
	if err != nil {
		return err
	}
	if err := o.resolve(); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "matmul-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	contenders := o.contenders(temp)
	if err := o.afford(contenders); err != nil {
		return err
	}
	for _, c := range contenders {
		if text := c.describe(); text != "" {
			fmt.Fprintf(log, "%-10s %s\n", c.name, text)
		}
	}
	a := &arena{o: o, log: log}
	defer a.close()
	if err := a.open(contenders); err != nil {
		return err
	}
	if err := a.measure(ctx); err != nil {
		return err
	}
	a.reportIdle()
	return o.report(out, a)
}

// report prints the results, and draws them if asked to.
func (o *options) report(out io.Writer, a *arena) error {
	rows := a.rows()
	if o.svg != "" {
		if err := drawSVG(o.svg, o, rows); err != nil {
			return err
		}
	}
	if o.asJSON {
		return printJSON(out, rows)
	}
	return printTable(out, o, a.players, rows)
}
