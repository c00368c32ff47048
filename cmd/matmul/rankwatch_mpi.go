//go:build mpi

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"matmul/internal/mpi"
)

// A watch notices deaths that MPI and its launcher may not tell of, as between
// ranks that share memory, or if the launcher itself hangs: that of the launcher,
// and those of the ranks on this machine. Other machines' show as a broken
// connection.
type watch struct {
	rank   int
	parent int

	mu     sync.Mutex
	others map[int]process // by rank
	dead   error           // what has died
	over   bool            // who dies now has done its part
	told   bool            // this rank has said what has died
}

const (
	watchEvery = 500 * time.Millisecond // between two looks
	// doomed is how long after a death this rank may go on, to say so and to end
	// the job in an orderly way: a call of MPI may never return.
	doomed = 8 * time.Second
	// finalTime is how long MPI_Finalize may take.
	finalTime = 10 * time.Second
	// abortTime is how long MPI_Abort may take.
	abortTime = 3 * time.Second
)

// newWatch watches the process that has started this one.
func newWatch() *watch {
	w := &watch{parent: os.Getppid()}
	go w.run()
	return w
}

// run looks until something has died or the product is over.
func (w *watch) run() {
	for before := error(nil); ; time.Sleep(watchEvery) {
		w.mu.Lock()
		now, over := w.look(), w.over
		if before != nil && !over {
			w.dead = before // and had no reason to end
		}
		dead := w.dead
		w.mu.Unlock()
		switch {
		case over:
			return
		case dead != nil:
			time.Sleep(doomed)
			w.tell(dead)
			os.Exit(exitFailed)
		}
		before = now
	}
}

// look returns what has died.
func (w *watch) look() error {
	if os.Getppid() != w.parent {
		return fmt.Errorf("the launcher of rank %d has ended", w.rank)
	}
	for rank, p := range w.others {
		if !p.lives() {
			return fmt.Errorf("rank %d has died", rank)
		}
	}
	return nil
}

// add watches the ranks of this machine, too. all describes every rank's process.
func (w *watch) add(rank int, all []process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rank, w.others = rank, map[int]process{}
	for r, p := range all {
		if r != rank && p.Machine == all[rank].Machine {
			w.others[r] = p
		}
	}
}

// err returns what has died, if something has.
func (w *watch) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// tell says why this rank ends the job, once.
func (w *watch) tell(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.told {
		say(os.Stderr, fmt.Errorf("rank %d: %w", w.rank, err))
	}
	w.told = true
}

// end ends the watch: ranks may go.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

// A process is one of this machine, or of another.
type process struct {
	Machine string // whose process numbers these are: boot and namespace
	Network string // its network: ranks with different ones are taken to be apart
	Pid     int
	Start   string // when it began, which tells it from others of its number
}

// processSize is the bytes of a process that ranks tell each other.
const processSize = 256

// thisProcess describes this process.
func thisProcess() process {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	net, _ := os.Readlink("/proc/self/ns/net")
	p := process{Machine: strings.TrimSpace(string(boot)) + " " + space, Network: net, Pid: os.Getpid()}
	_, p.Start = p.stat()
	return p
}

// stat returns the state of a process, "" if there is none, and when it began: the
// 3rd and the 22nd field of proc_pid_stat(5).
func (p process) stat() (state, start string) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
	_, rest, found := bytes.Cut(line, []byte(") "))
	fields := bytes.Fields(rest)
	if err != nil || !found || len(fields) < 20 {
		return "", ""
	}
	return string(fields[0]), string(fields[19])
}

// lives reports whether the process has not ended; its parent may not know yet.
func (p process) lives() bool {
	state, start := p.stat()
	return start == p.Start && state != "Z" && state != "X"
}

// neighbours watches the ranks of this machine, too. Collective.
func (t *team) neighbours(ctx context.Context) error {
	mine, err := json.Marshal(thisProcess())
	if err != nil {
		panic(err) // it holds texts and a number
	}
	record := make([]byte, processSize)
	copy(record, mine)
	gathered, err := t.world.Gather(record, 0)
	if t.reached(err) != nil {
		return err
	}
	text := mpi.Alloc(t.world.Size * processSize)
	copy(text, gathered)
	if err := t.bcast(ctx, text, 0); err != nil {
		return err
	}
	all := make([]process, t.world.Size)
	for i := range all {
		if err := json.Unmarshal(bytes.TrimRight(text[i*processSize:][:processSize], "\x00"), &all[i]); err != nil {
			return err
		}
	}
	t.watch.add(t.world.Rank, all)
	t.local = !slices.ContainsFunc(all, func(p process) bool { return p.Machine != all[0].Machine || p.Network != all[0].Network })
	return nil
}
