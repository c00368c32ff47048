package main

import (
	"context"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"matmul/internal/elem"
	"matmul/internal/matfile"
	"matmul/tiling"
)

// unfinished FILE [all] leaves a part file and a journal for the product of
// a.npy and b.npy in FILE, as a run does that was stopped after it had saved
// rows 0 to 240, or all rows, 120 by 120: whole panels of every kernel. ref.npy holds the product.
func unfinished(ts *testscript.TestScript, neg bool, args []string) {
	p := newProduct(ts.MkAbs(args[0]))
	var err error
	p.in, err = p.problemFlags.open(ts.MkAbs("a.npy"), ts.MkAbs("b.npy"))
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
	p.alpha = 1
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

func TestWhatCannotBeUsedAgainIsSpoilt(t *testing.T) {
	p := newProduct("c.npy")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("anything"), false},
		{wrongError{errors.New("not the product")}, true},
	} {
		if got := p.isSpoilt(c.err); got != c.want {
			t.Errorf("%v: spoilt %v, want %v", c.err, got, c.want)
		}
	}
}
