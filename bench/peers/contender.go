package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The names that are not those of libraries.
const (
	nameMatmul = "matmul"
	nameGonum  = "gonum"
	nameLimit  = "FMA limit"
)

// kind says what multiplies.
type kind uint8

const (
	kindMatmul kind = iota
	kindLibrary
	kindGonum
)

// contender is who is measured, and how its process is started.
type contender struct {
	name string
	kind kind
	path string   // of a library
	env  []string // on top of ours
	note string   // what was done for it that is worth telling
}

func (c *contender) describe() string {
	return strings.Join(nonEmpty(c.path, strings.Join(c.env, " "), c.note), "  ")
}

func nonEmpty(texts ...string) (kept []string) {
	for _, t := range texts {
		if t != "" {
			kept = append(kept, t)
		}
	}
	return kept
}

// contenders lists who is measured, matmul first. temp is a directory for what
// has to be built for that.
func (o *options) contenders(temp string) []*contender {
	all := []*contender{{name: nameMatmul, kind: kindMatmul}}
	for _, l := range o.libs {
		all = append(all, o.library(l, temp))
	}
	if o.gonum {
		threads := "GOMAXPROCS=" + strconv.Itoa(o.workers) // gonum starts as many goroutines
		all = append(all, &contender{name: nameGonum, kind: kindGonum, env: []string{threads}})
	}
	return all
}

// library gives a library as many threads as we have workers, under each name
// that one is asked by.
func (o *options) library(l library, temp string) *contender {
	c := &contender{name: l.name, kind: kindLibrary, path: l.path}
	for _, v := range []string{"OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"} {
		c.env = append(c.env, v+"="+strconv.Itoa(o.workers))
	}
	if o.pins != nil {
		// For libraries on OpenMP: a thread stays where it is, as our workers do.
		c.env = append(c.env, unlessSet("OMP_PROC_BIND", "close")...)
		c.env = append(c.env, unlessSet("OMP_PLACES", "cores")...)
	}
	if l.mkl() {
		c.env = append(c.env, unlessSet("MKL_INTERFACE_LAYER", "GNU,LP64")...)
		c.env = append(c.env, unlessSet("MKL_THREADING_LAYER", "GNU")...)
		c.env = append(c.env, unlessSet("MKL_DYNAMIC", "FALSE")...)
		c.forceFastPath(temp)
	}
	return c
}

// unlessSet sets a variable that the user has not set.
func unlessSet(name, value string) []string {
	if _, set := os.LookupEnv(name); set {
		return nil
	}
	return []string{name + "=" + value}
}

// forceFastPath lets MKL take its AVX2 and AVX-512 code on processors that are
// not Intel's.
func (c *contender) forceFastPath(temp string) {
	if isIntel() {
		c.note = "Intel processor: no preload needed"
		return
	}
	object, err := buildPreload(temp)
	if err != nil {
		c.note = "NOT at its best here: mkl_serv_intel_cpu_true could not be preloaded: " + err.Error()
		return
	}
	preload := object
	if old := os.Getenv("LD_PRELOAD"); old != "" {
		preload += ":" + old
	}
	c.env = append(c.env, "LD_PRELOAD="+preload)
	c.note = "mkl_serv_intel_cpu_true preloaded from " + filepath.Base(object)
}
