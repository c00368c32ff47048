package master

import "matmul/shmmat"

// What a worker holds at most, of all jobs: the task that it does and those that
// wait in its mailbox. A task of a job that goes first waits behind these alone,
// if it finds no worker idle.
const (
	MostHeld       = shmmat.Depth - 1
	MostMultiplies = queued // of them
)
