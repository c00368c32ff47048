package worker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
)

// mark is the variable that turns a process into a worker. Its value is the
// protocol version; the socket is descriptor 3.
const (
	mark       = "MATMUL_WORKER"
	socketFD   = 3
	exitServed = 0
	exitFailed = 1
)

// Started reports whether this process was started as a worker.
func Started() bool { return os.Getenv(mark) != "" }

// Main turns this process into a worker and does not return if it was started
// as one; otherwise it returns at once. It must be called first thing in main:
// what the program does before, each worker does too.
func Main() {
	if !Started() {
		return
	}
	// Terminals and schedulers signal every process of a job. What to do is
	// the master's decision; workers end when it tells them, or is gone.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	if err := serveProcess(); err != nil {
		fmt.Fprintf(os.Stderr, "matmul: worker %d: %v\n", os.Getpid(), err)
		os.Exit(exitFailed)
	}
	os.Exit(exitServed)
}

func serveProcess() error {
	if v := os.Getenv(mark); v != strconv.Itoa(shmmat.ProtocolVersion) {
		return fmt.Errorf("%s is %q, want %d: this variable is not for users", mark, v, shmmat.ProtocolVersion)
	}
	if err := errors.Join(sys.NoNewPrivileges(), sys.NoCoreDumps()); err != nil {
		return err
	}
	syscall.CloseOnExec(socketFD)
	sys.SetSlices(0) // not the master's
	sys.CalmMonitor()
	return Serve(shmmat.NewSocketLine(os.NewFile(socketFD, "socket:worker")), false)
}

// Processes starts workers as processes: this program anew, which must call
// Main first thing.
type Processes struct{ requests chan request }

type request struct {
	cmd  *exec.Cmd
	cpu  int
	done chan error
}

// NewProcesses returns a starter of worker processes.
//
// The kernel sends a worker its parent-death signal when the thread that
// started it ends, not the process: so all are started from one goroutine that
// is locked to a thread and never returns.
func NewProcesses() *Processes {
	p := &Processes{requests: make(chan request)}
	go func() {
		runtime.LockOSThread()
		sys.SetTimerSlack(sys.TimerSlack) // workers inherit it, with all their threads
		home, noHome := sys.Affinity(0)
		for r := range p.requests {
			if r.cpu >= 0 && noHome == nil {
				_ = sys.SetAffinity(0, []int{r.cpu}) // costs speed if it fails, no more
			}
			err := r.cmd.Start()
			if err == nil {
				// A worker costs a tile, the master what is not saved. By the
				// master, so that it holds while the worker's runtime starts.
				sys.OfferToOOMKiller(r.cmd.Process.Pid)
			}
			r.done <- err
			if r.cpu >= 0 && noHome == nil {
				_ = sys.SetAffinity(0, home)
			}
		}
		select {}
	}()
	return p
}

// Start starts a worker and returns the master's end of its line, and its
// process. The worker inherits its processor from the thread that starts it,
// so that all of its threads have it, and its goroutine need not be locked to
// one: a locked goroutine costs two changes of thread at each preemption.
func (p *Processes) Start(cpu int) (shmmat.Line, shmmat.Process, error) {
	mine, theirs, err := sys.SocketPair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	r := request{command(theirs), cpu, make(chan error)}
	p.requests <- r
	if err := r.wait(mine); err != nil {
		mine.Close()
		return nil, nil, err
	}
	return shmmat.NewSocketLine(mine), process{r.cmd}, nil
}

// startPatience is how long it may take to start a process: more than any
// machine that is worth waiting for.
const startPatience = 10 * time.Second

// wait waits until the process has started. Package os waits for one that it
// could not ask whether it had started, and that waits for its master: so the
// line is closed after a while, and the process ends.
func (r request) wait(line *os.File) error {
	select {
	case err := <-r.done:
		return err
	case <-time.After(startPatience):
	}
	line.Close()
	if err := <-r.done; err != nil {
		return err
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	return fmt.Errorf("starting it took more than %v", startPatience)
}

// lastWords is how long after the end of a worker its standard error is waited
// for: end-of-file may never come if something else holds the pipe, or if the
// kernel or Go's poller failed to tell.
const lastWords = time.Second

func command(socket *os.File) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"matmul-worker"}
	// One P, and no collections while the heap is as small as a worker's is.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), isOfMPI), mark+"="+strconv.Itoa(shmmat.ProtocolVersion),
		"GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=64MiB")
	cmd.Stderr = &firstLine{} // a crash must not write pages onto the user's terminal
	cmd.ExtraFiles = []*os.File{socket}
	cmd.WaitDelay = lastWords
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// isOfMPI reports whether a variable of the environment tells a process that it
// is a rank of an MPI job: a worker is none.
func isOfMPI(variable string) bool {
	for _, prefix := range []string{"PMI_", "PMIX_", "OMPI_"} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}

type process struct{ cmd *exec.Cmd }

func (p process) Pid() int { return p.cmd.Process.Pid }

// Kill ends the process. Wait must still be called: only a reaped process is
// known not to write any more.
func (p process) Kill() { _ = p.cmd.Process.Kill() }

// Wait waits for the end of the process and says how it came, with the first
// line that it wrote to standard error.
func (p process) Wait() string {
	how := "exit status 0"
	if err := p.cmd.Wait(); err != nil {
		how = err.Error()
	}
	if said := p.cmd.Stderr.(*firstLine).String(); said != "" {
		how += ": " + said
	}
	return how
}

// firstLine keeps the first line that is written to it, cut to a readable
// length, and takes the rest without keeping it.
type firstLine struct {
	line []byte
	full bool
}

func (f *firstLine) Write(b []byte) (int, error) {
	const limit = 300
	for _, c := range b {
		if f.full = f.full || c == '\n' || len(f.line) == limit; f.full {
			break
		}
		f.line = append(f.line, c)
	}
	return len(b), nil
}

func (f *firstLine) String() string { return string(f.line) }
