package shmmat

// A Starter starts workers. Start returns the master's end of a line to a
// worker that will say Hello on it, and the worker's process, which runs on
// the given processor alone unless cpu is negative.
type Starter interface {
	Start(cpu int) (Line, Process, error)
}

// A Process is a worker as the system sees it.
type Process interface {
	Pid() int     // 0 for a goroutine
	Kill()        // ends it, however it resists; does not wait
	Wait() string // waits until it has ended and cannot write any more, and says how it ended; called once
}
