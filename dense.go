package matmul

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"matmul/tiling"
)

// NewDense returns a zero r×c matrix that lies in shared memory, where worker
// processes use it without a copy: they compute products whose operands, C
// among them, all lie there. The memory is there until Release or Close; a
// garbage collection does not free it. Each matrix has a segment of its own,
// and with that a file descriptor: this is for large ones.
//
// Where there are no worker processes (see Main) it is ordinary memory.
//
// r and c that mat.NewDense panics at make NewDense panic with the same value.
// The error is ErrNoMemory or ErrClosed.
func (p *Pool) NewDense(r, c int) (*mat.Dense, error) {
	if r <= 0 || c <= 0 {
		return mat.NewDense(r, c, nil), nil // panics
	}
	n, ok := tiling.Mul(int64(r), int64(c))
	if !ok || n > math.MaxInt/8 {
		return nil, fmt.Errorf("%w: a matrix of %d×%d", ErrNoMemory, r, c)
	}
	if err := p.begin(); err != nil {
		return nil, err
	}
	defer p.end()
	e, err := p.workerProcesses()
	if err != nil {
		return nil, err
	}
	if e != nil {
		return e.newDense(r, c, 8*n)
	}
	m := mat.NewDense(r, c, nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heap[&m.RawMatrix().Data[0]] = true
	return m, nil
}

// Release gives back the memory of a matrix that NewDense made, and leaves it
// empty. Nothing may use that memory any more, and none of the matrix's views:
// the program would crash. A matrix that the pool does not have is a panic; the
// error is ErrClosed, after Close has released it.
func (p *Pool) Release(m *mat.Dense) error {
	if err := p.begin(); err != nil {
		return err
	}
	defer p.end()
	if m.IsEmpty() {
		panic(notOurs)
	}
	first := &m.RawMatrix().Data[0]
	p.mu.Lock()
	ours := p.heap[first]
	delete(p.heap, first)
	p.mu.Unlock()
	if e := p.processes.Load(); !ours && e != nil {
		var err error
		if ours, err = e.release(m); err != nil {
			return err
		}
	}
	if !ours {
		panic(notOurs)
	}
	*m = mat.Dense{}
	return nil
}

const notOurs = "matmul: Release of a matrix that the pool does not have"

// workerProcesses returns the engine of worker processes, which it starts if
// need be; nil where there is none.
func (p *Pool) workerProcesses() (*processes, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.processes.Load(); e != nil {
		return e, nil
	}
	e, err := startProcesses(p)
	if errors.Is(err, ErrNoProcesses) {
		return nil, nil
	}
	if err == nil {
		p.processes.Store(e)
	}
	return e, err
}
