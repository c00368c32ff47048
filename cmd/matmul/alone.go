package main

import (
	"errors"
	"fmt"
	"math/bits"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/matfile"
	"matmul/internal/tile"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// A product of a batch is small if it takes at most smallFlops operations and
// smallBytes of memory. One processor does it then, in this process and from
// file to file, while others do others: a division among workers would cost more
// in messages than it brings.
const (
	smallFlops = 1e9
	smallBytes = 32 << 20
)

// small reports whether a product is.
func (s *shape) small() bool { return s.Flops() <= smallFlops && s.bytes() <= smallBytes }

// A shape is the size of a product.
type shape struct {
	tiling.Problem
	elem elem.Type
	c0   bool // there is one that is read
}

// bytes returns the bytes of the operands and the result in memory.
func (s *shape) bytes() float64 {
	m, n, k := float64(s.M), float64(s.N), float64(s.K)
	c := m * n
	if s.c0 {
		c *= 2
	}
	return (m*k + k*n + c) * float64(s.elem.Size())
}

// A desk is the memory of who does small products, one after the other.
type desk struct {
	seat int // in a trace
	f64  scratch[float64]
	f32  scratch[float32]
}

type scratch[T elem.Float] struct {
	ws          gemm.Workspace[T]
	a, b, c0, c []T
	raw         []byte // of elements that are not stored as T
}

// multiply computes the product into its output.
func (d *desk) multiply(p *product) error {
	if p.spec.Type == elem.Float32 {
		return multiplyAlone(&d.f32, p)
	}
	return multiplyAlone(&d.f64, p)
}

func multiplyAlone[T elem.Float](s *scratch[T], p *product) (err error) {
	spec := &p.spec
	m, n, k := spec.A.Rows, spec.B.Cols, spec.A.Cols
	if spec.Alpha == 0 {
		k = 0
	}
	c := resize(&s.c, m*n)
	t := gemm.Tile[T]{I1: int(m), J1: int(n), C: c, LDC: int(n), Beta: T(spec.Beta)}
	if t.A, err = s.operand(&s.a, p.in.a, spec.A.Matrix, k, T(spec.Alpha)); err != nil {
		return err
	}
	if t.B, err = s.operand(&s.b, p.in.b, spec.B.T(), k, 1); err != nil {
		return err
	}
	if spec.Beta != 0 {
		if t.C0, err = s.rows(p.in.c0, spec.C0.Matrix); err != nil {
			return err
		}
		t.LDC0 = int(n)
	}
	if err := s.compute(p, t); err != nil {
		return err
	}
	elem.Canonical(c)
	return matfile.Write(p.dest, c, 0)
}

// compute computes C, again if it fails its check, and it is to be checked.
func (s *scratch[T]) compute(p *product, t gemm.Tile[T]) error {
	k, b := p.tuned.kernel, p.tuned.choice.Blocking()
	if !p.abft {
		gemm.Multiply(k, b, &s.ws, t)
		return nil
	}
	c := &checks{}
	for p.rep.ABFT = c; !gemm.Checked(k, b, &s.ws, t); {
		err := errors.New("all of C failed its check, computed by the master")
		p.sayWrong(err)
		if c.Wrong++; c.Wrong == master.MostTries {
			return adviseWrong(fmt.Errorf("%w: %w", master.ErrWrong, err))
		}
	}
	return nil
}

// operand reads op(A) or op(B)ᵀ, m; not at all where k is 0.
func (s *scratch[T]) operand(mem *[]T, f *matfile.File, m shmmat.Matrix, k int64, scale T) (gemm.Operand[T], error) {
	o := gemm.Operand[T]{Packed: gemm.Panels[T]{Lanes: int(m.Rows), Depth: int(k)}, Scale: scale}
	if k == 0 {
		return o, nil
	}
	data, err := s.read(mem, f)
	o.Stored = tile.Source[T](m, data, m.LD)
	return o, err
}

// rows reads C₀ by rows.
func (s *scratch[T]) rows(f *matfile.File, m shmmat.Matrix) ([]T, error) {
	data, err := s.read(&s.c0, f)
	if err != nil || m.Order == shmmat.RowMajor {
		return data, err
	}
	byRows := make([]T, len(data))
	for j := range m.Cols {
		for i := range m.Rows {
			byRows[i*m.Cols+j] = data[j*m.LD+i]
		}
	}
	return byRows, nil
}

// read reads a whole matrix as it is stored.
func (s *scratch[T]) read(mem *[]T, f *matfile.File) ([]T, error) {
	if s.raw == nil {
		s.raw = make([]byte, 64<<10)
	}
	count, length := f.Vectors()
	data := resize(mem, count*length)
	return data, matfile.Read(f, data, 0, count, s.raw)
}

// resize returns memory for n elements, what is there if it is enough. It grows to
// a power of two, which is seldom: fresh memory costs a page fault every 4 KiB.
func resize[T elem.Float](mem *[]T, n int64) []T {
	if int64(cap(*mem)) < n {
		*mem = make([]T, 1<<bits.Len64(uint64(n-1)))
	}
	return (*mem)[:n]
}
