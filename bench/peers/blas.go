package main

import (
	"fmt"
	"os"

	"github.com/ebitengine/purego"

	"matmul/internal/elem"
	"matmul/internal/sys"
)

// CBLAS's names for the order and the transposition.
const (
	cblasRowMajor = 101
	cblasNoTrans  = 111
)

// cblas is cblas_dgemm or cblas_sgemm with int32 indices.
type cblas[T elem.Float] func(order, transA, transB, m, n, k int32, alpha T, a *T, lda int32, b *T, ldb int32, beta T, c *T, ldc int32)

// loaded is the engine of a library.
type loaded[T elem.Float] struct {
	guest[T]
	cblas   cblas[T]
	fortran *fortran[T] // nil if the library has no such entry
	says    string
}

// openLibrary loads a library. Its threads inherit the processors to which
// this one is confined: those on which matmul pins its workers.
func openLibrary[T elem.Float](s setup) (engine[T], error) {
	if s.Pins != nil {
		if err := sys.SetAffinity(0, s.Pins); err != nil {
			return nil, err
		}
	}
	handle, err := load(s.Path)
	if err != nil {
		return nil, err
	}
	b := &loaded[T]{}
	letter := "d"
	if elem.Of[T]() == elem.Float32 {
		letter = "s"
	}
	entry, err := purego.Dlsym(handle, "cblas_"+letter+"gemm")
	if err != nil {
		return nil, fmt.Errorf("not a CBLAS library: %w", err)
	}
	purego.RegisterFunc(&b.cblas, entry)
	if entry, err := purego.Dlsym(handle, letter+"gemm_"); err == nil {
		b.fortran = newFortran[T](entry)
	}
	if b.guest, err = newGuest[T](s.Sizes); err != nil {
		return nil, err
	}
	b.says = describeLibrary(handle)
	return b, nil
}

// load opens a library. MKL's layer for GNU threads does not say that it needs
// libgomp: it expects the program to have it.
func load(path string) (uintptr, error) {
	if (library{path: path}).mkl() && os.Getenv("MKL_THREADING_LAYER") == "GNU" {
		if _, err := purego.Dlopen("libgomp.so.1", purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
			return 0, fmt.Errorf("load the threads of MKL: %w", err)
		}
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return 0, fmt.Errorf("load library: %w", err)
	}
	return handle, nil
}

func (b *loaded[T]) about() string { return b.says }

// multiply takes the entry that costs less to call from Go. Row-major
// C = A·B is column-major Cᵀ = Bᵀ·Aᵀ, which is how libraries do it, too.
func (b *loaded[T]) multiply(s size) error {
	o := &b.ops
	if b.fortran != nil && s.flops() < fortranFlops {
		b.fortran.call(s.N, s.M, s.K, o.b, o.a, o.c)
		return nil
	}
	m, n, k := int32(s.M), int32(s.N), int32(s.K)
	b.cblas(cblasRowMajor, cblasNoTrans, cblasNoTrans, m, n, k, 1, &o.a[0], k, &o.b[0], n, 0, &o.c[0], n)
	return nil
}

// describeLibrary asks a library for its version, in the ways that the known
// ones have.
func describeLibrary(handle uintptr) string {
	for _, name := range []string{"openblas_get_config", "bli_info_get_version_str"} {
		if entry, err := purego.Dlsym(handle, name); err == nil {
			var get func() string
			purego.RegisterFunc(&get, entry)
			return get()
		}
	}
	if entry, err := purego.Dlsym(handle, "MKL_Get_Version_String"); err == nil {
		var get func(buffer *byte, length int32)
		purego.RegisterFunc(&get, entry)
		return readString(get)
	}
	return ""
}
