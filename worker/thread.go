package worker

import (
	"runtime"

	"matmul/shmmat"
)

// Threads starts workers as goroutines of this process, each locked to a
// thread. They need a Heap segment, or one that this process made, and run on
// whatever processor the system gives them.
type Threads struct{}

// Start starts a worker and returns the master's end of its line.
func (Threads) Start(int) (shmmat.Line, shmmat.Process, error) {
	master, mine := shmmat.NewLocalLine()
	t := thread{make(chan string, 1)}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := Serve(mine, true); err != nil {
			t.end <- err.Error()
			return
		}
		t.end <- "returned"
	}()
	return master, t, nil
}

type thread struct{ end chan string }

func (t thread) Pid() int { return 0 }

// Kill does nothing: a goroutine ends when its line is closed.
func (t thread) Kill() {}

func (t thread) Wait() string { return <-t.end }
