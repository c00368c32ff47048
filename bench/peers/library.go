package main

import (
	"os"
	"path/filepath"
	"strings"
)

// library is a shared object with a CBLAS interface.
type library struct{ name, path string }

// known are the files that Debian and Intel install, the most wanted of each
// library first.
var known = []struct {
	name  string
	files []string
}{
	{"openblas", []string{
		"/usr/lib/*-linux-gnu/openblas-pthread/libopenblas.so.0",
		"/usr/lib64/libopenblasp.so.0",
	}},
	{"blis", []string{
		"/usr/lib/*-linux-gnu/blis-pthread/libblis.so.4",
		"/usr/lib64/libblisp.so.4",
	}},
	{"mkl", []string{
		"/opt/intel/oneapi/mkl/latest/lib/libmkl_rt.so.2",
		"/opt/intel/oneapi/mkl/latest/lib/intel64/libmkl_rt.so.2",
		"/usr/lib/*-linux-gnu/libmkl_rt.so",
	}},
}

// findLibraries returns one file for each known library that is installed.
// match returns the files that a pattern names.
func findLibraries(match func(pattern string) []string) (found []library) {
	for _, k := range known {
		for _, pattern := range k.files {
			if files := match(pattern); len(files) > 0 {
				found = append(found, library{k.name, files[0]})
				break
			}
		}
	}
	return found
}

// exists returns the files that a pattern names.
func exists(pattern string) (files []string) {
	names, _ := filepath.Glob(pattern) // the patterns above are well-formed
	for _, n := range names {
		if _, err := os.Stat(n); err == nil {
			files = append(files, n)
		}
	}
	return files
}

// mkl reports whether the library is Intel's, which needs to be told more.
func (l library) mkl() bool { return strings.HasPrefix(filepath.Base(l.path), "libmkl") }
