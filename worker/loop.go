package worker

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"matmul/internal/elem"
	"matmul/internal/failpoint"
	"matmul/internal/gemm"
	"matmul/internal/sys"
	"matmul/internal/tile"
	"matmul/shmmat"
	"matmul/tiling"
)

// loop does tasks until the master says Quit or is gone.
func (w *worker) loop() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = w.fault("between tasks", r)
		}
	}()
	// A page of the segment that cannot be had becomes a panic of this
	// goroutine, which ends the task and not the process.
	debug.SetPanicOnFault(true)
	for {
		t, err := w.next()
		if err == nil {
			err = w.do(t)
		}
		if errors.Is(err, errQuit) || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// next waits for a task. While it looks for one it offers its processor only if it has
// just woken the master, which may wait for it: a thread of another kind, such as the
// runtime's monitor after a pause, would keep it for longer than the task takes to come.
func (w *worker) next() (shmmat.Task, error) {
	spin := w.spin
	for {
		if t, ok := w.end.Take(); ok {
			return t, nil
		}
		start := time.Now()
		if err := w.end.Bell.Wait(w.end.Waiting, spin, patience, w.yield && w.woke); err != nil {
			return shmmat.Task{}, err
		}
		w.woke = false
		spin = 0 // once it has slept, it only sleeps
		if time.Since(start) < patience {
			spin = w.spin // it was woken: a task is on its way
		}
		if !w.end.Waiting() && w.line.Gone() {
			return shmmat.Task{}, io.EOF
		}
	}
}

// do does one task and answers. It returns an error only if no answer is
// possible.
func (w *worker) do(t shmmat.Task) error {
	if t.Kind == shmmat.Quit {
		return errQuit
	}
	if err := w.recall(t); err != nil {
		return err
	}
	reached("worker.taken", t)
	begin := w.end.Begin(t, w.job.Priority)
	value, err := w.execute(t)
	a := shmmat.Answer{Job: t.Job, ID: t.ID, Begin: begin, End: sys.Monotonic(), Value: value}
	if wrong := (*tile.WrongError)(nil); errors.As(err, &wrong) {
		a.Status = shmmat.Wrong
		a.Value = shmmat.Finding{PanelsA: wrong.A, PanelsB: wrong.B, Processor: sys.Processor()}.Value()
	} else if err != nil {
		var p *problem
		if !errors.As(err, &p) {
			p = &problem{status: shmmat.Failed, err: err}
		}
		a.Status = p.status
		trouble := shmmat.Message{Verb: shmmat.Trouble, Role: p.role, Text: p.Error()}
		if err := w.line.Send(trouble); err != nil {
			return err
		}
	}
	reached("worker.done", t)
	w.woke = w.end.End(t, a, w.job.Priority)
	reached("worker.answered", t)
	return nil
}

// recall makes w.job the record of the task's job.
func (w *worker) recall(t shmmat.Task) (err error) {
	if t.OfJob() && t.Job != w.job.ID {
		w.job, err = w.board.Job(t.Job)
	}
	return err
}

// execute does a task. A fault in the segment, or a bug in what is called,
// becomes an error.
func (w *worker) execute(t shmmat.Task) (value int64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = w.fault(t.Kind.String(), r)
		}
	}()
	switch t.Kind {
	case shmmat.Attend:
		return 0, w.attend()
	case shmmat.Peak:
		return peak(t.Rect)
	case shmmat.Nop:
		return 0, nil
	}
	if w.job.Type == elem.Float32 {
		return task[float32](w, t)
	}
	return task[float64](w, t)
}

// task does one task of a job in T.
func task[T elem.Float](w *worker, t shmmat.Task) (value int64, err error) {
	a := arithOf[T](w)
	if err := a.use(w); err != nil {
		return 0, err
	}
	switch t.Kind {
	case tiling.PackA:
		return a.packPanels(shmmat.FileA, w.job.A, shmmat.PanelsA, shmmat.SumsA, a.Kernel.MR, T(w.job.Alpha), t.Rect)
	case tiling.PackB:
		return a.packPanels(shmmat.FileB, w.job.B, shmmat.PanelsB, shmmat.SumsB, a.Kernel.NR, 1, t.Rect)
	case tiling.LoadC0:
		return 0, a.loadC0(t.Rect)
	case tiling.Multiply:
		if err := failpoint.Hit("worker.multiply"); err != nil {
			return 0, err
		}
		if err := a.Multiply(&w.job, w.memory(w.mult), t.Rect); err != nil {
			return 0, err
		}
		return 0, failpoint.Hit("worker.multiplied")
	case tiling.Store:
		return a.store(t.Rect)
	}
	return 0, fmt.Errorf("unknown task %s", t.Kind)
}

// peak measures the FMA limit of this worker's processor.
func peak(r tiling.Rect) (int64, error) {
	k, err := gemm.Lookup(gemm.ISA(r.C0), elem.Type(r.C1))
	if err != nil {
		return 0, err
	}
	return int64(gemm.Peak(k, time.Duration(r.R0)) * 1e9), nil
}

// A problem is an error with the status that the answer carries.
type problem struct {
	status shmmat.Status
	role   shmmat.Role // of the file concerned, if any
	err    error
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// step is called while a task goes on.
func (w *worker) step() {
	w.end.Step()
	failpoint.Hit("worker.step")
}

// reached is a failpoint between the steps of a task, if it is a job's.
func reached(name string, t shmmat.Task) {
	if t.OfJob() {
		failpoint.Hit(name)
	}
}

// fault turns a panic that was recovered while the worker did something into an
// error. A memory fault is reported with the region that it fell in.
func (w *worker) fault(doing string, r any) error {
	var re runtime.Error
	err, _ := r.(error)
	if errors.As(err, &re) {
		if f, ok := re.(interface{ Addr() uintptr }); ok {
			return &problem{status: shmmat.Fault, err: fmt.Errorf("%s: memory fault at %#x (%s)", doing, f.Addr(), w.place(f.Addr()))}
		}
	}
	return fmt.Errorf("%s: %v", doing, r)
}

// place says which part of the segment an address lies in.
func (w *worker) place(addr uintptr) string {
	seen := []*shmmat.View{w.control}
	for _, d := range w.data {
		seen = append(seen, d.pack, d.mult)
	}
	for _, k := range w.kept {
		seen = append(seen, k.Read, k.Write)
	}
	for _, v := range seen {
		if v == nil {
			continue
		}
		if where, ok := v.Find(addr); ok {
			return where
		}
	}
	return "outside the segment"
}

// noSpace reports whether a write failed because the disk, the quota or the
// file size limit is exhausted.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
