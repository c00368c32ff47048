package matmul_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/blas/testblas"

	"matmul"
)

func TestBLASPassesGonumsSuites(t *testing.T) {
	x := matmul.BLAS(newPool(t, matmul.WithWorkers(2)))
	t.Run("Dgemm", func(t *testing.T) { testblas.TestDgemm(t, x) })
	t.Run("Dsymm", func(t *testing.T) { testblas.DsymmTest(t, x) })
	t.Run("Dsyrk", func(t *testing.T) { testblas.DsyrkTest(t, x) })
	t.Run("Dsyr2k", func(t *testing.T) { testblas.Dsyr2kTest(t, x) })
	t.Run("Dtrmm", func(t *testing.T) { testblas.DtrmmTest(t, x) })
	t.Run("Dtrsm", func(t *testing.T) { testblas.DtrsmTest(t, x) })
}

// blasGemm does a call by the backend.
func (x *call[T]) blasGemm(b matmul.Backend) {
	switch x := any(x).(type) {
	case *call[float64]:
		b.Dgemm(x.tA, x.tB, x.m, x.n, x.k, x.alpha, x.a, x.lda, x.b, x.ldb, x.beta, x.c, x.ldc)
	case *call[float32]:
		b.Sgemm(x.tA, x.tB, x.m, x.n, x.k, x.alpha, x.a, x.lda, x.b, x.ldb, x.beta, x.c, x.ldc)
	}
}

func TestBLASGemmIsTheDefinition(t *testing.T) {
	t.Run("float64", testBLASGemm[float64])
	t.Run("float32", testBLASGemm[float32])
}

func testBLASGemm[T element](t *testing.T) {
	b := matmul.BLAS(newPool(t, matmul.WithWorkers(2)))
	for seed := range shapes() {
		r := rand.New(rand.NewPCG(21, uint64(seed)))
		m, n, k := randomShape(r)
		x := newCall[T](r, m, n, k, onHeap)
		want := x.definition()
		x.blasGemm(b)
		if i := differ(x.c, want); i >= 0 {
			t.Fatalf("seed %d: %v: C[%d,%d] = %x, want %x", seed, x, i/x.ldc, i%x.ldc, x.c[i], want[i])
		}
	}
}

// All routines together, on operands that several callers read at the same
// time, give every caller what one caller gets.
func TestBLASIsSafeForConcurrentCallers(t *testing.T) {
	b := matmul.BLAS(newPool(t, matmul.WithWorkers(2)))
	const n = 150
	r := rand.New(rand.NewPCG(22, 0))
	x, y, start := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
	for _, s := range [][]float64{x, y, start} {
		for i := range s {
			s[i] = ordinary(r)
		}
	}
	for i := range n {
		x[i*n+i] += n // so that Dtrsm does not overflow
	}
	routines := []func(c []float64){
		func(c []float64) { b.Dgemm(blas.NoTrans, blas.Trans, n, n, n, 1, x, n, y, n, 1, c, n) },
		func(c []float64) { b.Dsymm(blas.Left, blas.Lower, n, n, 1, x, n, y, n, 1, c, n) },
		func(c []float64) { b.Dsyrk(blas.Upper, blas.NoTrans, n, n, 1, x, n, 1, c, n) },
		func(c []float64) { b.Dsyr2k(blas.Lower, blas.Trans, n, n, 1, x, n, y, n, 1, c, n) },
		func(c []float64) { b.Dtrmm(blas.Right, blas.Upper, blas.NoTrans, blas.NonUnit, n, n, 1, x, n, c, n) },
		func(c []float64) { b.Dtrsm(blas.Left, blas.Lower, blas.Trans, blas.NonUnit, n, n, 1, x, n, c, n) },
	}
	all := func() (out [][]float64) {
		for _, f := range routines {
			c := append([]float64(nil), start...)
			f(c)
			out = append(out, c)
		}
		return out
	}
	want := all()
	var callers sync.WaitGroup
	for caller := range 6 {
		callers.Go(func() {
			for range 5 {
				for i, c := range all() {
					if at := differ(c, want[i]); at >= 0 {
						t.Errorf("caller %d, routine %d: element %d = %v, want %v", caller, i, at, c[at], want[i][at])
					}
				}
			}
		})
	}
	callers.Wait()
}

func TestBLASPanicsOnAClosedPool(t *testing.T) {
	p := newPool(t)
	b := matmul.BLAS(p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	x := make([]float64, 32*32)
	got := panicOf(func() { b.Dtrmm(blas.Left, blas.Upper, blas.NoTrans, blas.Unit, 32, 32, 1, x, 32, x[:32*32:32*32], 32) })
	if err, ok := got.(error); !ok || !errors.Is(err, matmul.ErrClosed) {
		t.Errorf("panic %v, want %v", got, matmul.ErrClosed)
	}
}

// Each routine of Level 3 is called with good arguments and with every pair of
// bad ones: where gonum's panics, the backend's does, with the same value.
func TestBLASPanicsAsGonum(t *testing.T) {
	b := matmul.BLAS(newPool(t))
	for _, size := range []int{3, 30} { // small, and blocked
		for _, name := range []string{"gemm", "symm", "syrk", "syr2k", "trmm", "trsm"} {
			t.Run(fmt.Sprint("D", name, size), func(t *testing.T) { comparePanics[float64](t, b, "D"+name, size) })
			t.Run(fmt.Sprint("S", name, size), func(t *testing.T) { comparePanics[float32](t, b, "S"+name, size) })
		}
	}
}

func comparePanics[T element](t *testing.T, b matmul.Backend, name string, size int) {
	method := reflect.ValueOf(b).MethodByName(name)
	own := reflect.ValueOf(gonum.Implementation{}).MethodByName(name)
	args := 0
	try := func(f reflect.Value, spoil map[int]int) any {
		in := goodArguments[T](f.Type(), size)
		for arg, how := range spoil {
			in[arg] = bad(in[arg], size)[how]
		}
		args = len(in)
		return panicOf(func() { f.Call(in) })
	}
	panics := 0
	compare := func(spoil map[int]int) {
		want, got := try(own, spoil), try(method, spoil)
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("bad arguments %v: panic %v, want %v", spoil, got, want)
		}
		if want != nil {
			panics++
		}
	}
	compare(nil)
	good := goodArguments[T](own.Type(), size)
	for i := range args {
		for hi := range bad(good[i], size) {
			compare(map[int]int{i: hi})
			for j := range i {
				for hj := range bad(good[j], size) {
					compare(map[int]int{i: hi, j: hj})
				}
			}
		}
	}
	if panics < 20 {
		t.Errorf("only %d calls panicked", panics)
	}
}

// goodArguments returns arguments of a routine for square matrices of an order.
func goodArguments[T element](f reflect.Type, size int) (in []reflect.Value) {
	for i := range f.NumIn() {
		var v any
		switch f.In(i) {
		case reflect.TypeFor[blas.Transpose]():
			v = blas.NoTrans
		case reflect.TypeFor[blas.Side]():
			v = blas.Left
		case reflect.TypeFor[blas.Uplo]():
			v = blas.Upper
		case reflect.TypeFor[blas.Diag]():
			v = blas.NonUnit
		case reflect.TypeFor[int]():
			v = size
		case reflect.TypeFor[T]():
			v = T(1)
		case reflect.TypeFor[[]T]():
			s := make([]T, size*size)
			fill(s, 1)
			v = s
		default:
			panic("unknown argument of type " + f.In(i).String())
		}
		in = append(in, reflect.ValueOf(v))
	}
	return in
}

// bad returns values that an argument must not have, or that end a call early.
func bad(v reflect.Value, size int) (out []reflect.Value) {
	var values []any
	switch v.Interface().(type) {
	case blas.Transpose:
		values = []any{blas.Transpose(0), blas.Transpose('x')}
	case blas.Side:
		values = []any{blas.Side(0), blas.Side('x')}
	case blas.Uplo:
		values = []any{blas.Uplo(0), blas.Uplo(blas.All)}
	case blas.Diag:
		values = []any{blas.Diag(0), blas.Diag('x')}
	case int:
		values = []any{-1, 0, size - 1, size + 1}
	case float64:
		values = []any{0.0}
	case float32:
		values = []any{float32(0)}
	case []float64:
		values = []any{[]float64(nil), v.Slice(0, size*size-1).Interface()}
	case []float32:
		values = []any{[]float32(nil), v.Slice(0, size*size-1).Interface()}
	}
	for _, x := range values {
		out = append(out, reflect.ValueOf(x))
	}
	return out
}

// NaN and infinities go through a product, and what must not be read has none.
func TestBLASLeavesAloneWhatItMustNotRead(t *testing.T) {
	b := matmul.BLAS(newPool(t))
	nan := math.NaN()
	for _, n := range []int{5, 40, 200} {
		whole := make([]float64, n*n)
		fill(whole, nan)
		ones := make([]float64, n*n)
		fill(ones, 1)
		upper := make([]float64, n*n) // the other triangle is not there
		for i := range n {
			for j := range n {
				upper[i*n+j] = nan
				if i <= j {
					upper[i*n+j] = 1
				}
			}
		}
		clean := func(name string, c []float64, onlyUpper bool) {
			t.Helper()
			for i, v := range c {
				if v != v && !(onlyUpper && i/n > i%n) {
					t.Fatalf("%s of order %d: C[%d,%d] is NaN", name, n, i/n, i%n)
				}
			}
		}
		c := append([]float64(nil), whole...)
		b.Dgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, ones, n, ones, n, 0, c, n)
		clean("Dgemm", c, false)
		b.Dgemm(blas.NoTrans, blas.NoTrans, n, n, n, 0, whole, n, whole, n, 1, c, n)
		clean("Dgemm with alpha = 0", c, false)
		c = append([]float64(nil), whole...)
		b.Dsymm(blas.Right, blas.Upper, n, n, 1, upper, n, ones, n, 0, c, n)
		clean("Dsymm", c, false)
		c = append([]float64(nil), whole...)
		b.Dsyrk(blas.Upper, blas.NoTrans, n, n, 1, ones, n, 0, c, n)
		clean("Dsyrk", c, true)
		c = append([]float64(nil), whole...)
		b.Dsyr2k(blas.Upper, blas.Trans, n, n, 1, ones, n, ones, n, 0, c, n)
		clean("Dsyr2k", c, true)
		c = append([]float64(nil), ones...)
		b.Dtrmm(blas.Left, blas.Upper, blas.Trans, blas.NonUnit, n, n, 1, upper, n, c, n)
		clean("Dtrmm", c, false)
		c = append([]float64(nil), ones...)
		b.Dtrsm(blas.Right, blas.Upper, blas.NoTrans, blas.NonUnit, n, n, 1, upper, n, c, n)
		clean("Dtrsm", c, false)
		b.Dgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, whole, n, make([]float64, n*n), n, 0, c, n)
		for i, v := range c {
			if v == v {
				t.Fatalf("NaN times 0, order %d: C[%d,%d] = %v, want NaN", n, i/n, i%n, v)
			}
		}
	}
}

// underBackend runs f while gonum's packages use a backend.
func underBackend(t *testing.T, f func()) {
	blas64.Use(matmul.BLAS(newPool(t, matmul.WithWorkers(2))))
	defer blas64.Use(gonum.Implementation{})
	f()
}
