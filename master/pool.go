package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
)

// Config says what a pool is made of.
type Config struct {
	Workers int            // at least 1
	Starter shmmat.Starter // what starts them
	Kind    shmmat.Kind    // of the segments; Heap only with workers in this process
	Dir     string         // where segments of kind File lie
	Pins    []int          // processor of each worker, and then those that a retired worker may leave its own for; nil to pin none
	Spin    time.Duration  // how long an idle process looks for news before it sleeps
	Yield   bool           // workers fill all processors: the master sleeps at once, a worker that has woken it offers its own
	Small   bool           // leave segments in pages of the usual size
	Own     bool           // this process is there for the pool alone: its threads may be scheduled to suit it

	Stall     time.Duration // silence after which a worker that computes is replaced; 0 for one that follows the machine
	IOTimeout time.Duration // the same for one that reads or writes a file; 0 for none
	OOMKills  func() int64  // how often the OOM killer has struck this control group so far; may be nil

	// Trace, unless nil, is told of each task of a job that was done, by the
	// goroutine that drives the pool. It must be quick.
	Trace func(Event)
}

// Pool is a set of workers that are started once and used for many jobs.
type Pool struct {
	cfg     Config
	control *shmmat.Segment
	view    *shmmat.View
	board   *shmmat.Board
	members []*member
	pins    []int // cfg.Pins, but for workers that were moved
	events  chan event
	alive   context.Context // until Close
	die     context.CancelFunc
	pending sync.WaitGroup // goroutines that may still send an event or ring the bell

	wheel chan struct{} // a token: who has it drives; see drive.go
	poked atomic.Bool   // there is something for the one who drives to look at

	mu       sync.Mutex // guards what follows; held for moments
	closed   bool
	errands  []*errand // under way, in the order in which they are served
	jobs     uint32    // id of the last job
	slots    uint64    // the records in use, a bit each
	data     []*dataSegment
	home     *dataSegment    // of Reserve, or of the job that was prepared last
	segments uint32          // number of the last segment
	kept     map[uint32]kept // matrices that their owners keep, by number
	news     []announcement  // what a new worker must be told

	own  own
	here int // seat of the processor that the master was on when it last woke workers

	watched  int64         // when the master last looked after the workers, sys.Monotonic
	silence  time.Duration // the longest of a worker that ended by itself
	deaths   int           // in all
	unsteady float64       // by how much speeds usually differ from what is known; see speed.go
	loss     loss          // deaths since the last task was done
	oomFirst int64         // OOM kills before the pool was started
	broken   error         // why the pool cannot be used any more
	prompt   int           // the thread with the wheel that waited last, and has short time slices
}

// slice is the time slice of the thread at the wheel, the shortest there is: it
// works for microseconds, and workers wait for it.
const slice = 100 * time.Microsecond

// New starts a pool. It returns as soon as the workers are on their way; a
// worker that cannot be started shows when the first job runs. Close must be
// called.
func New(cfg Config) (*Pool, error) {
	if cfg.Workers < 1 || cfg.Pins != nil && len(cfg.Pins) < cfg.Workers {
		panic(fmt.Sprintf("master: %d workers with %d pins", cfg.Workers, len(cfg.Pins)))
	}
	p := &Pool{cfg: cfg, pins: slices.Clone(cfg.Pins), kept: map[uint32]kept{}, events: make(chan event, 4*cfg.Workers), wheel: make(chan struct{}, 1)}
	p.wheel <- struct{}{}
	p.alive, p.die = context.WithCancel(context.Background())
	p.oomFirst = p.oomKills()
	if err := p.openBoard(); err != nil {
		p.closeBoard()
		return nil, err
	}
	if cfg.Own {
		sys.CalmMonitor()
	}
	for i := range cfg.Workers {
		m := &member{index: i, speed: 1}
		p.members = append(p.members, m)
		p.start(m)
	}
	return p, nil
}

// openBoard makes the control segment and the master's view of it.
func (p *Pool) openBoard() error {
	l, err := shmmat.NewLayout(shmmat.Lengths{shmmat.Control: shmmat.ControlSize(p.cfg.Workers)})
	if err != nil {
		return err
	}
	if p.control, err = shmmat.Create(p.cfg.Kind, l, p.cfg.Dir); err != nil {
		return err
	}
	if p.view, err = p.control.Map(shmmat.All(true)); err != nil {
		return err
	}
	p.board, err = shmmat.OpenBoard(p.view.Bytes(shmmat.Control), p.cfg.Workers)
	return err
}

func (p *Pool) closeBoard() error {
	var err error
	if p.view != nil {
		err = p.view.Close()
	}
	if p.control != nil {
		err = errors.Join(err, p.control.Close())
	}
	return err
}

// Workers returns the number of workers.
func (p *Pool) Workers() int { return p.cfg.Workers }

// Board returns the scoreboard for onlookers. It is valid until Close.
func (p *Pool) Board() *shmmat.Board { return p.board }

// Deaths returns how many workers have died and been replaced so far.
func (p *Pool) Deaths() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deaths
}

// Pids returns the process ids of the workers that were started and have not
// ended, by seat; 0 where there is none, or a goroutine.
func (p *Pool) Pids() []int {
	pids := make([]int, len(p.members))
	for i, m := range p.members {
		pids[i] = int(m.pid.Load())
	}
	return pids
}

// grace is how long Close waits for workers to end by themselves.
const grace = 2 * time.Second

// Close ends the workers and frees the segments. It waits for running jobs.
// The error wraps ErrWorkersLost if a worker does not end: what it uses stays.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true // nothing new comes
	e := p.enlist(context.Background(), 0, idle{p: p, last: true})
	p.mu.Unlock()
	_ = p.await(e) // workers that are lost are dismissed, too
	<-p.wheel      // for good
	if err := p.dismiss(); err != nil {
		return err
	}
	err := errors.Join(p.closeData(), p.dropAll())
	return errors.Join(err, p.closeBoard())
}

// dismiss tells all workers to quit, kills those that do not, and waits until
// every one is reaped. It counts the time as watch does: while the whole job is
// suspended, none passes.
func (p *Pool) dismiss() error {
	p.die()
	for _, m := range p.members {
		if m.state == ready {
			m.end.Send(shmmat.Task{Kind: shmmat.Quit})
		}
	}
	gone := make(chan struct{})
	go func() {
		p.pending.Wait()
		close(gone)
	}()
	looks := time.NewTicker(p.beat())
	defer looks.Stop()
	last, waited, killed := sys.Monotonic(), time.Duration(0), false
	for {
		select {
		case e := <-p.events:
			e.discard()
		case <-looks.C:
			now := sys.Monotonic()
			waited += min(time.Duration(now-last), 2*p.beat())
			last = now
			switch {
			case !killed && waited > grace:
				killed, waited = true, 0
				for _, m := range p.members {
					m.kill()
				}
			case killed && waited > p.dying():
				return fmt.Errorf("%w: a worker was killed %v ago and does not end", ErrWorkersLost, p.dying())
			}
		case <-gone:
			for len(p.events) > 0 {
				(<-p.events).discard()
			}
			for _, m := range p.members {
				m.hangUp()
			}
			return nil
		}
	}
}

// lock takes the mutex, unless the pool is not to be used any more, or ctx has
// ended.
func (p *Pool) lock(ctx context.Context) (err error) {
	p.mu.Lock()
	if p.closed {
		err = ErrClosed
	} else {
		err = cmp.Or(p.broken, context.Cause(ctx))
	}
	if err != nil {
		p.mu.Unlock()
	}
	return err
}
