package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signalKey is the key of the channel of signals in a context.
type signalKey struct{}

// heed makes a signal that is not ignored end a context of withSignals, too.
func heed(ctx context.Context, s os.Signal) {
	if c, ok := ctx.Value(signalKey{}).(chan os.Signal); ok && !signal.Ignored(s) {
		signal.Notify(c, s)
	}
}

// withSignals returns a context that ends at the first signal that asks for
// the end, with a signalError as its cause. A second signal ends the process
// at once: its workers go with it, and its files have no names. Signals that
// were ignored from the start, as by nohup, stay so.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 2)
	ctx = context.WithValue(ctx, signalKey{}, c)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		heed(ctx, s)
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
