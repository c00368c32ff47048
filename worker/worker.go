// Package worker is the task loop and the process around it: attach to the
// segment, take a task, do it, answer, until the master says Quit or is gone.
//
// Contract: a task is done from its start to its end from what its job record
// says and nothing else, so it can be done again by another worker. A worker
// writes only what its task owns. Whatever goes wrong in a task ends in an
// answer with a status and one line of text; only what goes wrong between
// tasks ends the worker. A worker trusts its master, but checks what would
// lead it out of its views.
package worker

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"matmul/internal/elem"
	"matmul/internal/sys"
	"matmul/internal/tile"
	"matmul/shmmat"
)

// patience is how long a worker sleeps before it looks whether its master
// still lives: so much later than its master does an idle worker end that the
// kernel does not end. It is to end within a second.
const patience = 900 * time.Millisecond

// worker is one seat of a pool in one epoch.
type worker struct {
	line    shmmat.Line
	owns    bool // files received are this worker's to close
	end     *shmmat.WorkerEnd
	board   *shmmat.Board
	control *shmmat.View
	spin    time.Duration
	yield   bool
	woke    bool // the last answer woke the master

	views                                      // of the job used last
	data   map[uint32]views                    // data segments, by number
	kept   map[uint32]tile.Kept                // matrices that their owners keep, by number
	files  map[uint32]map[shmmat.Role]*os.File // by job
	job    shmmat.Job                          // the record used last
	f64    arith[float64]
	f32    arith[float32]
	toRead []byte // buffer for stored elements of another type or byte order

	attended int // messages read
}

// views are a data segment as tasks see it; nil where there is none.
type views struct{ pack, mult *shmmat.View }

// errQuit ends the task loop.
var errQuit = errors.New("told to quit")

// Serve works at one end of a line until the master says so or is gone. local
// says that the master is a goroutine of this process, which keeps the files
// that it sends. It returns nil after an orderly end.
func Serve(line shmmat.Line, local bool) error {
	w := &worker{line: line, owns: !local, data: map[uint32]views{}, kept: map[uint32]tile.Kept{}, files: map[uint32]map[shmmat.Role]*os.File{}}
	defer w.close()
	if err := w.join(); err != nil {
		return fmt.Errorf("join pool: %w", err)
	}
	return w.loop()
}

// join says hello and takes the seat that the master gives.
func (w *worker) join() error {
	if err := w.line.Send(shmmat.Message{Verb: shmmat.Hello, Version: shmmat.ProtocolVersion}); err != nil {
		return err
	}
	m, files, err := w.line.Receive()
	if err != nil {
		return err
	}
	if m.Verb != shmmat.Welcome || m.Version != shmmat.ProtocolVersion {
		return fmt.Errorf("master said %q, version %d; want %q, version %d",
			m.Verb, m.Version, shmmat.Welcome, shmmat.ProtocolVersion)
	}
	if w.owns {
		sys.SetName(fmt.Sprintf("matmul-w%d", m.Seat))
	}
	control, err := segmentOf(m, files)
	if err != nil {
		return err
	}
	if w.owns {
		defer control.Close()
	}
	rights := shmmat.Rights{}
	rights[shmmat.Control] = shmmat.ReadWrite
	if w.control, err = control.Map(rights); err != nil {
		return err
	}
	if w.board, err = shmmat.OpenBoard(w.control.Bytes(shmmat.Control), m.Workers); err != nil {
		return err
	}
	w.end = w.board.Worker(m.Seat, m.Epoch)
	w.spin, w.yield = time.Duration(m.Spin), m.Yield
	return nil
}

// segmentOf attaches the segment that a message brings.
func segmentOf(m shmmat.Message, files []*os.File) (*shmmat.Segment, error) {
	if m.Segment != nil {
		return m.Segment, nil
	}
	var f *os.File
	if len(files) > 0 {
		f = files[0]
	}
	return shmmat.Attach(m.Handle, f)
}

// messages is how many are read between two collections of what they leave: the
// collector of a worker process does not run by itself while that is little.
const messages = 256

// attend reads one message and acts on it.
func (w *worker) attend() error {
	if w.attended++; w.attended%messages == 0 && w.owns {
		runtime.GC()
	}
	m, files, err := w.line.Receive()
	if err != nil {
		return err
	}
	switch m.Verb {
	case shmmat.Data:
		return w.enter(m, files)
	case shmmat.Keep:
		return w.keep(m, files)
	case shmmat.Drop:
		w.drop(m.Number)
		return nil
	case shmmat.Files:
		if len(files) != len(m.Which) {
			return fmt.Errorf("%d descriptors came for %v", len(files), m.Which)
		}
		set := map[shmmat.Role]*os.File{}
		for i, role := range m.Which {
			set[role] = files[i]
		}
		w.files[m.Number] = set
		return nil
	case shmmat.Forget:
		w.forget(m.Number)
		return nil
	}
	return fmt.Errorf("unexpected message %q", m.Verb)
}

// enter maps a data segment, or leaves one that is gone.
func (w *worker) enter(m shmmat.Message, files []*os.File) error {
	if m.Segment == nil && m.Handle.Size == 0 {
		w.leave(m.Number)
		return nil
	}
	s, err := segmentOf(m, files)
	if err != nil {
		return err
	}
	if w.owns {
		defer s.Close()
	}
	var v views
	if v.pack, err = s.Map(shmmat.PackRights()); err != nil {
		return err
	}
	if v.mult, err = s.Map(shmmat.MultiplyRights()); err != nil {
		v.pack.Close()
		return err
	}
	if m.Settle {
		v.pack.Settle()
		v.mult.Settle()
	} else {
		v.pack.PopulateRest()
		v.mult.PopulateRest()
	}
	w.data[m.Number] = v
	return nil
}

// keep maps a matrix that its owner keeps.
func (w *worker) keep(m shmmat.Message, files []*os.File) error {
	s, err := segmentOf(m, files)
	if err != nil {
		return err
	}
	if w.owns {
		defer s.Close()
	}
	var k tile.Kept
	if k.Read, err = s.Map(shmmat.KeptRights(false)); err != nil {
		return err
	}
	if k.Write, err = s.Map(shmmat.KeptRights(true)); err != nil {
		k.Read.Close()
		return err
	}
	w.kept[m.Number] = k
	return nil
}

// memory returns what a task sees that has the given view of the data segment.
func (w *worker) memory(data *shmmat.View) *tile.Memory { return &tile.Memory{Data: data, Kept: w} }

// Kept returns a kept matrix.
func (w *worker) Kept(number uint32) (k tile.Kept, ok bool) {
	k, ok = w.kept[number]
	return k, ok
}

// drop unmaps a kept matrix.
func (w *worker) drop(number uint32) {
	if k, ok := w.kept[number]; ok {
		k.Read.Close()
		k.Write.Close()
		delete(w.kept, number)
	}
}

// leave closes the views of a data segment.
func (w *worker) leave(number uint32) {
	if v, ok := w.data[number]; ok {
		v.pack.Close()
		v.mult.Close()
		delete(w.data, number)
	}
}

func (w *worker) forget(job uint32) {
	if w.owns {
		for _, f := range w.files[job] {
			f.Close()
		}
	}
	delete(w.files, job)
}

func (w *worker) close() {
	for number := range w.data {
		w.leave(number)
	}
	for number := range w.kept {
		w.drop(number)
	}
	for job := range w.files {
		w.forget(job)
	}
	if w.control != nil {
		w.control.Close()
	}
	w.line.Close()
}

// file returns a job's file in a role.
func (w *worker) file(role shmmat.Role) (*os.File, error) {
	f := w.files[w.job.ID][role]
	if f == nil {
		return nil, fmt.Errorf("no descriptor of %s for job %d", role, w.job.ID)
	}
	return f, nil
}

// arithOf returns the worker's arithmetic for T.
func arithOf[T elem.Float](w *worker) *arith[T] {
	if a, ok := any(&w.f64).(*arith[T]); ok {
		return a
	}
	return any(&w.f32).(*arith[T])
}
