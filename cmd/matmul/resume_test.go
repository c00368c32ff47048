package main

import (
	"context"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// unfinished FILE [all] leaves a part file and a journal for the product of
// a.npy and b.npy in FILE, as a run does that was stopped after it had saved
// rows 0 to 240, or all rows, 120 by 120: whole panels of every kernel. ref.npy holds the product.
func unfinished(ts *testscript.TestScript, neg bool, args []string) {
	p := newProduct(ts.MkAbs(args[0]))
	var err error
	p.in, err = p.problemFlags.open(context.Background(), &matfile.Opener{}, ts.MkAbs("a.npy"), ts.MkAbs("b.npy"))
	ts.Check(err)
	defer p.in.close()
	ts.Check(p.specify())
	ref, err := matfile.Open(ts.MkAbs("ref.npy"))
	ts.Check(err)
	defer ref.Close()
	rows := int64(240)
	if len(args) > 1 {
		rows = ref.Rows
	}
	ts.Check(p.leaveRows(ref, rows, 120))
}

// newProduct returns the product of two files to come, without options.
func newProduct(out string) *product {
	p := &product{runFlags: &runFlags{tile: "auto", out: out}, crew: crew{workers: 1}}
	p.crew.machine, p.crew.limits = host()
	p.alpha, p.choose = 1, p.crew.tuned
	return p
}

// leaveRows leaves what a run leaves that has saved rows of ref, so many at a
// time.
func (p *product) leaveRows(ref *matfile.File, rows, step int64) error {
	dir, name, err := matfile.Beside(p.out)
	if err != nil {
		return err
	}
	if p.saver, err = p.newSaver(dir, name, 1); err != nil {
		return err
	}
	defer p.saver.journal.Close()
	if p.dest, err = matfile.CreatePart(context.Background(), p.out, ref.Rows, ref.Cols, elem.Float64, true, false); err != nil {
		return err
	}
	defer p.dest.Leave()
	row := make([]float64, step*ref.Cols)
	for at := int64(0); at < rows; at += step {
		err := matfile.Read(ref, row, at, step, nil)
		if err == nil {
			err = matfile.Write(p.dest, row, at*ref.Cols)
		}
		if err != nil {
			return err
		}
		sum := crc32.Checksum(elem.Bytes(row), crc32.MakeTable(crc32.Castagnoli))
		p.saver.stored(tiling.Rect{R0: at, R1: at + step, C1: ref.Cols}, sum)
	}
	return p.save()
}

// A known is a small product whose result is known.
type known struct {
	t   *testing.T
	dir string // of the inputs
	ref *matfile.File
	sum string
}

// newKnown makes the inputs and the result.
func newKnown(t *testing.T) *known {
	t.Helper()
	p := &known{t: t, dir: operandsOf(t, 96, 32, 16)}
	runCommand(t, p.dir, "run", "a.npy", "b.npy", "-o", "ref.npy", "--verify", "exact")
	p.sum = sum(t, filepath.Join(p.dir, "ref.npy"))
	var err error
	if p.ref, err = matfile.Open(filepath.Join(p.dir, "ref.npy")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.ref.Close() })
	return p
}

// job returns the product, to be written in a directory.
func (p *known) job(dir string, force, resume bool) *product {
	p.t.Helper()
	j := newProduct(filepath.Join(dir, "c.npy"))
	j.force, j.resume, j.checkpoint = force, resume, "1h"
	var err error
	if j.in, err = j.problemFlags.open(context.Background(), &matfile.Opener{}, filepath.Join(p.dir, "a.npy"), filepath.Join(p.dir, "b.npy")); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(j.in.close)
	if err := j.specify(); err != nil {
		p.t.Fatal(err)
	}
	return j
}

// store does what a worker does with rows of C.
func (p *known) store(j *product, at, count int64) {
	p.t.Helper()
	row := make([]float64, count*p.ref.Cols)
	if err := matfile.Read(p.ref, row, at, count, nil); err != nil {
		p.t.Fatal(err)
	}
	if err := matfile.Write(j.dest, row, at*p.ref.Cols); err != nil {
		p.t.Fatal(err)
	}
	j.saver.stored(tiling.Rect{R0: at, R1: at + count, C1: p.ref.Cols}, crc32.Checksum(elem.Bytes(row), crc32.MakeTable(crc32.Castagnoli)))
}

func (p *known) put(dir, name string, b []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
		p.t.Fatal(err)
	}
}

func TestWhatCannotBeUsedAgainIsSpoilt(t *testing.T) {
	p := newProduct("c.npy")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("anything"), false},
		{wrongError{errors.New("not the product")}, true},
		{&master.FileError{Role: shmmat.FileA, Status: shmmat.BadInput}, true},
		{&master.FileError{Role: shmmat.FileA, Status: shmmat.Failed}, false},
		{&master.FileError{Role: shmmat.FileOut, Status: shmmat.NoSpace}, false},
	} {
		if got := p.isSpoilt(c.err); got != c.want {
			t.Errorf("%v: spoilt %v, want %v", c.err, got, c.want)
		}
	}
}
