package main

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"matmul/internal/batch"
	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/sys"
	"matmul/master"
	"matmul/tiling"
)

// rates are what a worker gets of the machine, measured before a batch begins:
// of its processor, which others want, too, and of the disk.
type rates struct {
	compute [elem.Float32 + 1]service // of an operation; the zero value if not measured
	disk    service                   // of a byte
}

// A service is what is known of who serves many small demands: the seconds that one
// of them takes on the average, and for how long, at most, it was behind that. It is
// the rate-latency service curve of network calculus (J.-Y. Le Boudec, P. Thiran,
// Network Calculus, 2001): so much work takes no longer than work·each + behind.
type service struct {
	each, behind float64
}

// newService concludes it from the seconds that pieces of so much work took, one
// after the other: it was behind for the most that any pieces in a row took longer
// than as many others on the average.
func newService(pieces []float64, work float64) (s service) {
	if len(pieces) == 0 {
		return s
	}
	sum := 0.0
	for _, t := range pieces {
		sum += t
	}
	mean, late := sum/float64(len(pieces)), 0.0
	for _, t := range pieces {
		late = max(0, late+t-mean)
		s.behind = max(s.behind, late)
	}
	s.each = mean / work
	return s
}

// worse returns the worse of both in both respects.
func (s service) worse(o service) service {
	return service{max(s.each, o.each), max(s.behind, o.behind)}
}

// How long is measured: for a plan, so long that others who come and go are seen;
// where jobs wait for it, as short as it gets.
const (
	longLook  = 250 * time.Millisecond
	shortLook = 5 * time.Millisecond
)

// measure finds out how a job is computed by all workers at once, whose processors
// then have no time to spare, and how its files are read and written meanwhile.
func (q *queue) measure(it *item) *rates {
	look := shortLook
	if q.planned {
		look = longLook
	}
	// Threads are to wait for processors alone, and not for Go's scheduler.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + q.crew.workers + 2))
	r := &rates{}
	var beside sync.WaitGroup
	beside.Go(func() { r.compute[it.elem] = q.computing(it.elem, look) })
	// A short file says little, and a directory may not be tried.
	r.disk = reading(it.A, look).worse(writing(filepath.Dir(it.Out), look))
	beside.Wait()
	return r
}

// computing has each worker's processor multiply for a while.
func (q *queue) computing(t elem.Type, look time.Duration) service {
	u, err := q.choose(t)
	if err != nil {
		return service{each: 1 / slowest}
	}
	do := multiplying[float64]
	if t == elem.Float32 {
		do = multiplying[float32]
	}
	all := make([]service, q.crew.workers)
	var busy sync.WaitGroup
	for i := range all {
		busy.Go(func() { all[i] = do(u.kernel, u.choice.Blocking(), look) })
	}
	busy.Wait()
	worst := service{}
	for _, s := range all {
		worst = worst.worse(s)
	}
	return worst
}

// A piece of multiplying is some tiles, whose operands come from memory that is
// larger than what a processor has of caches.
const (
	pieceTiles  = 4
	coldSquares = 16
)

// multiplying multiplies for a while on a thread of its own.
func multiplying[T elem.Float](k *gemm.Kernel, b gemm.Blocking, look time.Duration) service {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const depth = 256
	m, n := 16*k.MR, 8*k.NR
	cold := make([]T, coldSquares*(m+n)*depth)
	for i := range cold {
		cold[i] = 1 // pages that are only read are all the same one
	}
	at := 0
	operand := func(width, lanes int) gemm.Operand[T] {
		data := cold[at : at+lanes*depth]
		at += lanes * depth
		return gemm.Operand[T]{Packed: gemm.Panels[T]{Data: data, Width: width, Lanes: lanes, Depth: depth}}
	}
	var ws gemm.Workspace[T]
	c := make([]T, m*n)
	piece := func() {
		for range pieceTiles {
			gemm.Multiply(k, b, &ws, gemm.Tile[T]{A: operand(k.MR, m), B: operand(k.NR, n), I1: m, J1: n, C: c, LDC: n})
		}
		at %= len(cold)
	}
	piece() // grows the workspace
	return newService(timed(look, 1, piece), 2*float64(pieceTiles*m*n*depth))
}

// timed does pieces for a while, some at least, and returns the seconds that each
// took.
func timed(look time.Duration, least int, piece func()) (seconds []float64) {
	for begin, from := time.Now(), time.Now(); len(seconds) < least || from.Sub(begin) < look; {
		piece()
		now := time.Now()
		seconds = append(seconds, now.Sub(from).Seconds())
		from = now
	}
	return seconds
}

// Files are read and written in pieces, so many at least.
const (
	pieceBytes = 1 << 20
	pieceCount = 4
)

// reading reads a file for a while; the service is none if it is not there.
func reading(path string, look time.Duration) service {
	f, err := os.Open(path)
	if err != nil {
		return service{}
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() < pieceBytes {
		return service{}
	}
	return filing(f.ReadAt, st.Size()/pieceBytes, look)
}

// writing writes a file in a directory, and makes another durable meanwhile if it
// has the time. The files have no names, and are gone then.
func writing(dir string, look time.Duration) service {
	f, err := openUnnamed(dir)
	if err != nil {
		return service{}
	}
	defer f.Close()
	var syncing sync.WaitGroup
	defer syncing.Wait()
	if other, err := openUnnamed(dir); err == nil {
		syncing.Go(func() {
			defer other.Close()
			for begin := time.Now(); look == longLook && time.Since(begin) < look; {
				if _, err := other.WriteAt(make([]byte, pieceBytes), 0); err != nil || other.Sync() != nil {
					return
				}
			}
		})
	}
	return filing(f.WriteAt, 1<<6, look)
}

// openUnnamed opens a file in a directory that is gone when it is closed.
func openUnnamed(dir string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	fd, err := sys.OpenUnnamed(int(d.Fd()))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// filing reads or writes the first pieces of a file again and again.
func filing(do func([]byte, int64) (int, error), pieces int64, look time.Duration) service {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	buf, i := make([]byte, pieceBytes), int64(0)
	var failed error
	seconds := timed(look, pieceCount, func() {
		_, err := do(buf, i%pieces*pieceBytes)
		failed = errors.Join(failed, err)
		i++
	})
	if failed != nil {
		return service{}
	}
	return newService(seconds, pieceBytes)
}

// peak returns the FMA limit of the workers in GFLOP/s, in float64.
func (q *queue) peak() float64 {
	u, err := q.choose(elem.Float64)
	if err != nil {
		return 0
	}
	return q.crew.peak(u.kernel)
}

// A task is taken for longLate times as long as measurements say, which are of
// another time. late is what is not measured of it.
const (
	longLate = 2
	late     = 100 * time.Microsecond
)

// pessimistic returns how long what was measured as some seconds may take.
func pessimistic(seconds float64) time.Duration {
	return time.Duration(longLate*seconds*float64(time.Second)) + late
}

// loadOf returns what a job asks of the workers.
func (q *queue) loadOf(it *item, plan *master.Plan) batch.Load {
	each, disk := q.sample(it)
	size := float64(it.elem.Size())
	l := batch.Load{Priority: it.Priority, Seq: it.Seq}
	for id := range plan.Tasks() {
		r := plan.Rect(id)
		elements := float64(r.Rows()) * float64(r.Cols())
		if plan.Kind(id) == tiling.Multiply {
			d := pessimistic(2 * elements * float64(plan.K) * each)
			l.Compute, l.Total = max(l.Compute, d), l.Total+d
			continue
		}
		d := pessimistic(elements * size * disk)
		l.Disk, l.Total = max(l.Disk, d), l.Total+d
	}
	if cmp.Or(it.Verify, q.verify) != "none" {
		l.Check = pessimistic(float64(it.bytes+it.out.DataSize()) * disk)
		l.Total += l.Check
	}
	return l
}

// loadAlone returns what a job asks of one processor. Verification reads what
// was read and written once more.
func (q *queue) loadAlone(it *item) batch.Load {
	each, disk := q.sample(it)
	bytes := float64(2 * (it.bytes + it.out.DataSize()))
	d := pessimistic(it.Flops()*each + bytes*disk)
	return batch.Load{Priority: it.Priority, Seq: it.Seq, Alone: d, Total: d}
}

// sample returns what an operation and a byte of a job take on the average. It
// measures with the files of the first job.
func (q *queue) sample(it *item) (perFlop, perByte float64) {
	q.measuring.Lock()
	defer q.measuring.Unlock()
	if q.rates == nil {
		q.rates = q.measure(it)
	}
	if q.rates.compute[it.elem] == (service{}) {
		q.rates.compute[it.elem] = q.computing(it.elem, shortLook)
	}
	return q.rates.compute[it.elem].each, q.rates.disk.each
}

// waits returns the longest waits of all jobs, by their place in the list.
func (q *queue) waits(more ...batch.Load) []batch.Wait {
	loads := make([]batch.Load, len(q.items), len(q.items)+len(more))
	for i, it := range q.items {
		loads[i] = it.load
		loads[i].Priority, loads[i].Seq = it.Priority, it.Seq // of one that was not examined
	}
	return batch.LongestWaits(append(loads, more...), q.crew.workers,
		batch.Mailbox{Tasks: master.MostHeld, Compute: master.MostMultiplies, Delay: q.delay()})
}

// delay returns for how long a worker and its disk, and the master, may be behind
// all together.
func (q *queue) delay() time.Duration {
	if q.rates == nil {
		return late
	}
	cpu := service{}
	for _, s := range q.rates.compute {
		cpu = cpu.worse(s)
	}
	return late + time.Duration((2*cpu.behind+q.rates.disk.behind)*float64(time.Second))
}
