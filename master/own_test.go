package master

import (
	"context"
	"errors"
	"testing"
	"time"

	"matmul/shmmat"
	"matmul/worker"
)

// panics is work whose part for the master panics.
type panics struct{}

func (panics) next(*member) (t shmmat.Task, ok, hold bool) { return t, false, false }
func (panics) own() (bool, error)                          { panic("of the master's own tile") }
func (panics) done(*member, shmmat.Task, shmmat.Answer)    {}
func (panics) lost(*member, shmmat.Task)                   {}
func (panics) finished() bool                              { return false }

func TestAPanicOfTheMastersOwnTileEndsThePool(t *testing.T) {
	p, err := New(Config{Workers: 2, Starter: worker.Threads{}, Kind: shmmat.Heap})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan any)
	go func() {
		defer func() { ended <- recover() }()
		defer p.Close() // as callers do
		p.drive(t.Context(), 0, panics{})
	}()
	select {
	case got := <-ended:
		if got != "of the master's own tile" {
			t.Errorf("the caller sees %v, want what own panicked with", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("Close waits for what panicked")
	}
}

func TestNoOtherJobWaitsForAPanic(t *testing.T) {
	p, err := New(Config{Workers: 1, Starter: worker.Threads{}, Kind: shmmat.Heap})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	func() {
		defer func() { recover() }()
		p.drive(t.Context(), 0, panics{})
	}()
	if err := p.drive(context.Background(), 0, idle{p: p}); !errors.Is(err, errPanic) {
		t.Errorf("a job after the panic: %v, want %v", err, errPanic)
	}
}

// TestRousedWorkersMissNoTask hands out tasks to workers that are awake without one, are
// about to sleep again, or sleep.
func TestRousedWorkersMissNoTask(t *testing.T) {
	p, err := New(Config{Workers: 3, Starter: worker.Threads{}, Kind: shmmat.Heap, Spin: 20 * time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	slow := time.Now()
	for i := range 500 {
		p.rouse()
		for start := time.Now(); time.Since(start) < time.Duration(i%50)*2*time.Microsecond; {
		}
		if err := p.Nops(t.Context(), 3, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(slow); took > 500*nap/2 {
		t.Errorf("500 tasks for each worker took %v: wake-ups were lost, and %v had to pass", took, nap)
	}
}
