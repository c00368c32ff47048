package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// withSignals returns a context that ends at the first signal that asks for
// the end, with a signalError as its cause. A second signal ends the process
// at once: its workers go with it, and its files have no names.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		if s, ok := (<-c).(syscall.Signal); ok {
			cancel(signalError{s})
			signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		}
	}()
	return ctx, func() {
		signal.Stop(c)
		cancel(nil)
	}
}
