package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/internal/matfile"

	"golang.org/x/sys/unix"
)

// A matrix is row-major; the tests' own, so that nothing of the code under
// test makes what it is tested with.
type matrix struct {
	rows, cols int
	data       []float64
}

func zeros(rows, cols int) matrix { return matrix{rows, cols, make([]float64, rows*cols)} }

func (x matrix) at(i, j int) float64 { return x.data[i*x.cols+j] }

func (x matrix) transposed() matrix {
	y := zeros(x.cols, x.rows)
	for i := range y.rows {
		for j := range y.cols {
			y.data[i*y.cols+j] = x.at(j, i)
		}
	}
	return y
}

func (x matrix) clone() matrix {
	return matrix{x.rows, x.cols, append([]float64(nil), x.data...)}
}

func random(r *rand.Rand, rows, cols int, t elem.Type) matrix {
	return generate(rows, cols, func() float64 { return precisionOf(t).round(2*r.Float64() - 1) })
}

func generate(rows, cols int, next func() float64) matrix {
	x := zeros(rows, cols)
	for i := range x.data {
		x.data[i] = next()
	}
	return x
}

// A form is how a matrix is stored.
type form struct {
	t            elem.Type
	fortran, big bool
}

// encode returns the .npy file of x.
func (f form) encode(x matrix) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	mark := "<"
	if f.big {
		order, mark = binary.BigEndian, ">"
	}
	python := map[bool]string{true: "True", false: "False"}[f.fortran]
	header := fmt.Sprintf("{'descr': '%sf%d', 'fortran_order': %s, 'shape': (%d, %d), }", mark, f.t.Size(), python, x.rows, x.cols)
	raw := fmt.Appendf(nil, "\x93NUMPY\x01\x00\x76\x00%-117s\n", header)
	if f.fortran {
		x = x.transposed()
	}
	for _, v := range x.data {
		if f.t == elem.Float32 {
			raw = order.AppendUint32(raw, math.Float32bits(float32(v)))
		} else {
			raw = order.AppendUint64(raw, math.Float64bits(v))
		}
	}
	return raw
}

// A sample is a problem in memory. Its A and B are op(A) and op(B).
type sample struct {
	t                           elem.Type
	a, b, c0, c                 matrix
	alpha, beta                 float64
	transA, transB              bool
	formA, formB, formC0, formC form
}

func newSample(t elem.Type, a, b, c0 matrix, alpha, beta float64) *sample {
	f := form{t: t}
	s := &sample{t: t, a: a, b: b, c0: c0, alpha: alpha, beta: beta, formA: f, formB: f, formC0: f, formC: f}
	s.c = s.define()
	return s
}

// define is the definition of C, as it stands in the design.
func (s *sample) define() matrix {
	if s.t == elem.Float32 {
		return defineIn[float32](s)
	}
	return defineIn[float64](s)
}

func defineIn[T elem.Float](s *sample) matrix {
	c, alpha, beta := zeros(s.a.rows, s.b.cols), T(s.alpha), T(s.beta)
	for i := range c.rows {
		for j := range c.cols {
			var acc T
			if beta != 0 {
				acc = T(beta * T(s.c0.at(i, j)))
			}
			for p := 0; p < s.a.cols && alpha != 0; p++ {
				acc = gemm.FMA(T(alpha*T(s.a.at(i, p))), T(s.b.at(p, j)), acc)
			}
			c.data[i*c.cols+j] = float64(acc)
		}
	}
	return c
}

// open makes files of the sample and opens them.
func (s *sample) open(tb testing.TB) *Problem {
	tb.Helper()
	a, b := s.a, s.b
	if s.transA {
		a = a.transposed()
	}
	if s.transB {
		b = b.transposed()
	}
	p := &Problem{Alpha: s.alpha, Beta: s.beta, TransA: s.transA, TransB: s.transB}
	p.A, p.B = openMatrix(tb, "A.npy", a, s.formA), openMatrix(tb, "B.npy", b, s.formB)
	p.C = openMatrix(tb, "C.npy", s.c, s.formC)
	if s.beta != 0 {
		p.C0 = openMatrix(tb, "C0.npy", s.c0, s.formC0)
	}
	return p
}

// openMatrix opens a file in memory: thousands of them on a disk take
// minutes.
func openMatrix(tb testing.TB, name string, x matrix, f form) *matfile.File {
	tb.Helper()
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	file, content := os.NewFile(uintptr(fd), name), f.encode(x)
	in, err := matfile.Parse(bytes.NewReader(content))
	if err == nil {
		_, err = file.Write(content)
	}
	if err != nil {
		file.Close()
		tb.Fatal(err)
	}
	in.Path = name
	// Not by Open, which would wait until a change of a file so new could be seen.
	return &matfile.File{Info: in, File: file}
}

func closeAll(p *Problem) {
	for _, f := range []*matfile.File{p.A, p.B, p.C0, p.C} {
		if f != nil {
			f.Close()
		}
	}
}

// verdict runs a method on the sample.
func (s *sample) verdict(tb testing.TB, method Method, o Options) Report {
	tb.Helper()
	p := s.open(tb)
	defer closeAll(p)
	r, err := Run(context.Background(), method, p, o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

var methods = []Method{Freivalds, Gonum, Exact}
var types = []elem.Type{elem.Float64, elem.Float32}
