package verify

import (
	"context"
	"sync"

	"matmul/internal/elem"
)

// chunkBytes is how much is read at once: large enough for the system call,
// small enough to be still in L2 when it is used.
const chunkBytes = 512 << 10

// A stream multiplies matrices by vectors while it reads them once.
type stream[T elem.Float] struct {
	ctx     context.Context
	workers int
	t       elem.Type
	meter   *meter // counts elements
	share   *Share // nil: all
	chunk   int64  // elements
	buffers []buffer[T]
}

// A buffer is one worker's.
type buffer[T elem.Float] struct {
	run   []T
	bytes []byte // undecoded
}

// newStream returns a stream for the passes that rounds need.
func newStream[T elem.Float](ctx context.Context, j *job, o Options, rounds int) *stream[T] {
	s := &stream[T]{ctx: ctx, workers: o.workers(), t: j.prec.t, share: o.Share, buffers: make([]buffer[T], o.workers())}
	total := j.m * j.n
	if j.beta != 0 {
		total += j.m * j.n
	}
	if j.product {
		from, to := o.Share.part(j.k)
		total += j.m*j.k + (to-from)*j.n
	}
	s.meter = newMeter(o, total*int64(rounds))
	s.chunk = max(1, min(chunkBytes/int64(j.prec.t.Size()), total))
	return s
}

// streamMemory returns the bytes of a stream, at most.
func (j *job) streamMemory(o Options) int64 {
	size := int64(chunkBytes + scratchBytes)
	longest := int64(0)
	for _, x := range []operand{j.a, j.b, j.c0, j.c} {
		if _, length := x.lines(); !x.byRows {
			longest = max(longest, length)
		}
	}
	return int64(o.workers()) * (size + 2*8*longest)
}

// scratchBytes is the size of a buffer for undecoded elements.
const scratchBytes = 64 << 10

// own returns the buffer of worker w.
func (s *stream[T]) own(w int) *buffer[T] {
	b := &s.buffers[w]
	if b.run != nil {
		return b
	}
	if old, ok := spare[s.t].Get().(*buffer[T]); ok && int64(len(old.run)) >= s.chunk {
		*b = *old
	} else {
		b.run, b.bytes = make([]T, s.chunk), make([]byte, min(8*s.chunk, scratchBytes))
	}
	return b
}

// spare has buffers of streams that have ended: a batch verifies many small
// products, which would leave little else to the garbage collector.
var spare [elem.Float32 + 1]sync.Pool

// release gives the buffers to streams to come.
func (s *stream[T]) release() {
	for _, b := range s.buffers {
		if b.run != nil {
			spare[s.t].Put(&b)
		}
	}
	s.buffers = nil
}

// pass computes sum = op(X)·v and, unless abs is nil, abs = |op(X)|·w; a nil
// w is a vector of ones.
func (s *stream[T]) pass(x *operand, sum, abs, v, w []float64) error {
	clear(sum)
	clear(abs)
	if x.rows == 0 || x.cols == 0 {
		return nil
	}
	if x.byRows {
		return s.dotPass(x, sum, abs, v, w)
	}
	return s.axpyPass(x, sum, abs, v, w)
}

// dotPass is pass where the rows of op(X) are contiguous: each is a pair of
// dot products. A task is as many rows as a chunk holds.
func (s *stream[T]) dotPass(x *operand, sum, abs, v, w []float64) error {
	per := max(1, s.chunk/x.cols)
	return parallel(s.ctx, s.workers, ceilDiv(x.rows, per), func(worker int, task int64) error {
		return s.walk(x, worker, task*per, min(task*per+per, x.rows), func(i, from int64, part []T) {
			switch v := v[from:]; {
			case abs == nil:
				sum[i] += dot(part, v)
			case w == nil:
				a, b := dotAbs(part, v)
				sum[i], abs[i] = sum[i]+a, abs[i]+b
			default:
				a, b := dotTwo(part, v, w[from:])
				sum[i], abs[i] = sum[i]+a, abs[i]+b
			}
		})
	})
}

// axpyPass is pass where the columns of op(X) are contiguous: each is added
// to the whole vectors, of which every worker has its own. The split among
// the workers is fixed, so that the result depends on their number only.
func (s *stream[T]) axpyPass(x *operand, sum, abs, v, w []float64) error {
	workers := min(int64(s.workers), x.cols)
	sums, abss := make([][]float64, workers), make([][]float64, workers)
	err := parallel(s.ctx, s.workers, workers, func(worker int, task int64) error {
		mySum, myAbs := make([]float64, len(sum)), make([]float64, len(abs))
		sums[task], abss[task] = mySum, myAbs
		first, end := split64(x.cols, workers, task), split64(x.cols, workers, task+1)
		return s.walk(x, worker, first, end, func(p, from int64, part []T) {
			weight := 1.0
			if w != nil {
				weight = w[p]
			}
			if abs == nil {
				axpy(mySum[from:], part, v[p])
			} else {
				axpyTwo(mySum[from:], myAbs[from:], part, v[p], weight)
			}
		})
	})
	for i := range sums {
		addTo(sum, sums[i])
		addTo(abs, abss[i])
	}
	return err
}

// split64 returns where part i of n elements begins, of parts of about the
// same size.
func split64(n, parts, i int64) int64 { return n/parts*i + min(i, n%parts) }

// walk reads the lines [first, end) and calls use for each, or for each part
// of one that is longer than a chunk, with its index and first element.
func (s *stream[T]) walk(x *operand, worker int, first, end int64, use func(line, from int64, part []T)) error {
	_, length := x.lines()
	b := s.own(worker)
	for at := first * length; at < end*length; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		n := s.chunk - s.chunk%length
		if n == 0 || length < x.stride {
			n = min(s.chunk, length-at%length)
		}
		n = min(n, end*length-at)
		if err := readRun(x, b.run[:n], x.at(at/length, at%length), b.bytes); err != nil {
			return err
		}
		for o := int64(0); o < n; o += length {
			use((at+o)/length, (at+o)%length, b.run[o:min(o+length, n)])
		}
		s.meter.add(n)
		at += n
	}
	return nil
}
