package main

import (
	"encoding/gob"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"matmul/internal/elem"
)

// serve is the life of a child. It returns the exit status.
func serve() int {
	syscall.CloseOnExec(requestsFD)
	syscall.CloseOnExec(repliesFD)
	dec := gob.NewDecoder(os.NewFile(requestsFD, "pipe:requests"))
	enc := gob.NewEncoder(os.NewFile(repliesFD, "pipe:replies"))
	var s setup
	if err := dec.Decode(&s); err != nil {
		fmt.Fprintln(os.Stderr, "peers: receive setup:", err)
		return 1
	}
	if s.Kind == kindLibrary {
		// The thread that calls a library owns its pool of threads: libgomp
		// starts another for every other caller.
		runtime.LockOSThread()
	}
	if s.Type == elem.Float32 {
		return serveAs[float32](s, dec, enc)
	}
	return serveAs[float64](s, dec, enc)
}

func serveAs[T elem.Float](s setup, dec *gob.Decoder, enc *gob.Encoder) int {
	e, err := openEngine[T](s)
	if err == nil {
		defer e.close()
		err = prepare(e)
	}
	if err != nil {
		_ = enc.Encode(reply{Err: err.Error()})
		return 1
	}
	r := reply{About: e.about(), Pids: e.pids()}
	for {
		if err := enc.Encode(r); err != nil {
			return 1 // the harness is gone
		}
		var q request
		if err := dec.Decode(&q); err != nil {
			return 0 // it has no more requests
		}
		r = reply{}
		if err := answer(e, q, &r); err != nil {
			r.Err = err.Error()
		}
	}
}

// prepare makes the exact check, and fills A and B with what is timed.
func prepare[T elem.Float](e engine[T]) error {
	if err := checkExactly(e); err != nil {
		return err
	}
	o, err := e.operands()
	if err != nil {
		return err
	}
	fillRandom(o.a, 1)
	fillRandom(o.b, 2)
	fillNaN(o.c) // and with that, it is touched
	return nil
}

// answer does what a request asks for.
func answer[T elem.Float](e engine[T], q request, r *reply) (err error) {
	switch q.Verb {
	case check:
		return checkRandomly(e, q.Size)
	case limit:
		r.Rate, err = e.limit()
		return err
	case turn:
		return takeTurn(e, q, r)
	}
	return fmt.Errorf("unknown verb %q", q.Verb)
}

// A packer can multiply operands that were packed before the clock starts, of
// the same size, with numbers that are as good as any.
type packer interface{ packed(s size) error }

// takeTurn takes the time of a product, as the mean of a few if it is short.
func takeTurn[T elem.Float](e engine[T], q request, r *reply) error {
	if q.Warm {
		if err := e.multiply(q.Size); err != nil {
			return err
		}
	}
	start := time.Now()
	for range q.Repeat {
		if err := e.multiply(q.Size); err != nil {
			return err
		}
	}
	r.Seconds = time.Since(start).Seconds() / float64(q.Repeat)
	p, ok := e.(packer)
	if !ok {
		return nil
	}
	start = time.Now()
	for range q.Repeat {
		if err := p.packed(q.Size); err != nil {
			return err
		}
	}
	r.Packed = time.Since(start).Seconds() / float64(q.Repeat)
	return nil
}
