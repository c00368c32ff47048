// Package verify decides whether a matrix in a file is
// C = alpha·op(A)·op(B) + beta·C0, by three methods of rising cost and
// strictness:
//
//   - [Freivalds] compares the row sums of C under random signs, O(mn+mk+kn);
//   - [Gonum] compares every element with gonum's product under an error bound;
//   - [Exact] compares the bits of every element with the definition of C.
//
// Contract: everything is read from the files, in pieces, whatever their
// storage order, byte order and element type; nothing is taken from whoever
// made C, and no line of code is shared with it but one scalar FMA. The type
// computed in is that of C's elements: alpha, beta and all inputs are first
// rounded to it. Comparisons are written so that a NaN fails them, and what a
// bound cannot judge (infinities, NaN, possible overflow) is compared with
// the definition, bit by bit, where NaN equals NaN.
//
// The definition of C and the bounds are those of the project's design,
// section 2; γ is Higham's (Accuracy and Stability of Numerical Algorithms,
// 2nd ed., section 3.1).
package verify

import (
	"fmt"

	"matmul/internal/elem"
	"matmul/internal/matfile"
)

// A Problem says what C should be: alpha·op(A)·op(B) + beta·C0, with op(A) of
// m×k, op(B) of k×n, C0 and C of m×n elements. A one-dimensional A is a row, a
// one-dimensional B a column; a one-dimensional C or C0 is whichever fits.
// C0 may be nil if Beta is 0, and is then not read. A and B are not read if
// Alpha or k is 0. The files stay the caller's, to close and to keep unchanged.
type Problem struct {
	A, B, C0, C    *matfile.File
	Alpha, Beta    float64
	TransA, TransB bool // op transposes
}

// Type returns the type computed in: that of C's elements, which Check
// requires to be float64 or float32.
func (p *Problem) Type() elem.Type { return p.C.Elem }

// Check returns a [*matfile.Error] that names the file which does not fit the
// others. All methods call it.
func (p *Problem) Check() error {
	_, err := p.resolve()
	return err
}

// A job is a Problem whose operands fit: what the methods work on.
type job struct {
	a, b, c0, c operand // c0 is not valid if beta is 0
	m, n, k     int64
	alpha, beta float64 // rounded to the type
	prec        precision
	product     bool // A and B take part: neither alpha nor k is 0
}

// resolve checks the shapes and the type.
func (p *Problem) resolve() (*job, error) {
	if !p.C.Elem.Computes() {
		return nil, &matfile.Error{Path: p.C.Path, Problem: "holds " + p.C.Elem.String(), Want: "float64 or float32"}
	}
	j := &job{prec: precisionOf(p.C.Elem)}
	j.alpha, j.beta = j.prec.round(p.Alpha), j.prec.round(p.Beta)
	j.a = newOperand(p.A, p.A.AsRow(), p.TransA)
	j.b = newOperand(p.B, p.B.AsColumn(), p.TransB)
	j.m, j.k, j.n = j.a.rows, j.a.cols, j.b.cols
	j.product = j.alpha != 0 && j.k != 0
	if j.b.rows != j.k {
		return nil, &matfile.Error{Path: p.B.Path, Problem: fmt.Sprintf("op(B) has %d rows", j.b.rows),
			Want: fmt.Sprintf("%d, the columns of op(A) in %s", j.k, p.A.Path)}
	}
	var err error
	if j.c, err = j.result(p.C); err != nil || j.beta == 0 {
		return j, err
	}
	if p.C0 == nil {
		return nil, fmt.Errorf("verify %s: beta is %v and there is no C0", p.C.Path, j.beta)
	}
	j.c0, err = j.result(p.C0)
	return j, err
}

// result returns the operand of a file that must be m×n.
func (j *job) result(f *matfile.File) (operand, error) {
	in := f.AsColumn()
	if j.m == 1 {
		in = f.AsRow()
	}
	if in.Rows != j.m || in.Cols != j.n {
		return operand{}, &matfile.Error{Path: f.Path, Problem: "has the shape " + f.Shape(),
			Want: fmt.Sprintf("(%d, %d)", j.m, j.n)}
	}
	return newOperand(f, in, false), nil
}
