package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// withSignals returns a context that ends at the first signal that asks for
// the end, with a signalError as its cause. A second signal ends the process
// at once: its workers go with it, and its files have no names. Signals that
// were ignored from the start, as by nohup, stay so.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 2)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	go func() {
		if s, ok := (<-c).(syscall.Signal); ok {
			signal.Stop(c) // the next one does what it does by default
			cancel(signalError{s})
		}
	}()
	return ctx, func() {
		signal.Stop(c)
		cancel(nil)
	}
}
