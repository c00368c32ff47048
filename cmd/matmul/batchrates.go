package main

import (
	"os"
	"path/filepath"
	"time"

	"matmul/internal/batch"
	"matmul/internal/elem"
	"matmul/internal/sys"
	"matmul/master"
	"matmul/tiling"
)

// rates are how fast parts of tasks are done, measured for some milliseconds
// before a batch begins.
type rates struct {
	flops [elem.Float32 + 1]float64 // of one processor, per second; 0 if not measured
	read  float64                   // seconds for a byte of a file, in the slowest piece
	write float64
}

// A task is taken for longLate times as long as its parts were measured, and
// late longer: other programs want processors and disks, too.
const (
	longLate = 2
	late     = time.Millisecond
)

// measure finds out how fast a job's files are read and written.
func measure(it *item) *rates {
	r := &rates{read: slowestRead(it.A), write: slowestWrite(filepath.Dir(it.Out))}
	r.read = max(r.read, r.write) // a short file says little, and a directory may not be tried
	r.write = r.read
	return r
}

// Files are read and written in pieces to learn how long that takes.
const (
	pieceBytes = 1 << 20
	pieceCount = 4
)

// slowestRead returns the seconds for a byte of the slowest of some pieces of a
// file; 0 if there is none.
func slowestRead(path string) float64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	return slowestPiece(f.ReadAt)
}

// slowestWrite is the same for writing a file in a directory. The file has no
// name, and is gone then.
func slowestWrite(dir string) float64 {
	d, err := os.Open(dir)
	if err != nil {
		return 0
	}
	defer d.Close()
	fd, err := sys.OpenUnnamed(int(d.Fd()))
	if err != nil {
		return 0
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	return slowestPiece(f.WriteAt)
}

func slowestPiece(do func([]byte, int64) (int, error)) (most float64) {
	buf := make([]byte, pieceBytes)
	for i := range int64(pieceCount) {
		begin := time.Now()
		_, err := do(buf, i*pieceBytes)
		most = max(most, time.Since(begin).Seconds()/pieceBytes)
		if err != nil {
			break // the rest of a file that is shorter
		}
	}
	return most
}

// speed returns how many operations a second one processor does.
func (q *queue) speed(t elem.Type) float64 {
	if q.rates.flops[t] > 0 {
		return q.rates.flops[t]
	}
	q.rates.flops[t] = slowest
	if u, err := q.choose(t); err == nil {
		rate := kernelRate[float64]
		if t == elem.Float32 {
			rate = kernelRate[float32]
		}
		q.rates.flops[t] = 1e9 * rate(u.kernel, u.choice.Blocking())
	}
	return q.rates.flops[t]
}

// peak returns the FMA limit of the workers in GFLOP/s, in float64.
func (q *queue) peak() float64 {
	u, err := q.choose(elem.Float64)
	if err != nil {
		return 0
	}
	return q.crew.peak(u.kernel)
}

// pessimistic returns how long what was measured as some seconds may take.
func pessimistic(seconds float64) time.Duration {
	return time.Duration(longLate*seconds*float64(time.Second)) + late
}

// loadOf returns what a job asks of the workers.
func (q *queue) loadOf(it *item, plan *master.Plan) batch.Load {
	q.sample(it)
	l := batch.Load{Priority: it.Priority, Seq: it.Seq}
	speed, size := q.speed(it.elem), float64(it.elem.Size())
	for id := range plan.Tasks() {
		r := plan.Rect(id)
		elements := float64(r.Rows()) * float64(r.Cols())
		if plan.Kind(id) == tiling.Multiply {
			d := pessimistic(2 * elements * float64(plan.K) / speed)
			l.Compute, l.Total = max(l.Compute, d), l.Total+d
			continue
		}
		rate := q.rates.read
		if plan.Kind(id) == tiling.Store {
			rate = q.rates.write
		}
		d := pessimistic(elements * size * rate)
		l.Disk, l.Total = max(l.Disk, d), l.Total+d
	}
	return l
}

// loadAlone returns what a job asks of one processor. Verification reads what
// was read and written once more.
func (q *queue) loadAlone(it *item) batch.Load {
	q.sample(it)
	out := float64(it.out.DataSize())
	bytes := 2*float64(it.bytes) + out
	d := pessimistic(it.Flops()/q.speed(it.elem) + bytes*q.rates.read + out*q.rates.write)
	return batch.Load{Priority: it.Priority, Seq: it.Seq, Alone: d, Total: d}
}

// sample measures with the files of the first job.
func (q *queue) sample(it *item) {
	if q.rates == nil {
		q.rates = measure(it)
	}
}

// waits returns the longest waits of all jobs, by their place in the list.
func (q *queue) waits(more ...batch.Load) []batch.Wait {
	loads := make([]batch.Load, len(q.items), len(q.items)+len(more))
	for i, it := range q.items {
		loads[i] = it.load
		loads[i].Priority, loads[i].Seq = it.Priority, it.Seq // of one that was not examined
	}
	return batch.LongestWaits(append(loads, more...), q.crew.workers,
		batch.Mailbox{Tasks: master.MostHeld, Compute: master.MostMultiplies})
}
