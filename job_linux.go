package matmul

import (
	"context"
	"errors"
	"sync"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
)

// byProcesses has the workers do a product, if it is one for them: all of it
// lies in the segment, or isolation was asked for.
func byProcesses[T elem.Float](ctx context.Context, p *Pool, x *gemm.Tile[T]) (did bool, err error) {
	e := p.processes.Load()
	if e == nil {
		return false, nil
	}
	s, ok := specOf(e, x)
	if !ok {
		return false, nil
	}
	if err := e.take(ctx); err != nil {
		return true, err
	}
	defer e.leave()
	if e.lost != nil {
		return p.isolated, e.lost
	}
	err = failure(run(ctx, e, s, x))
	if errors.Is(err, ErrWorkersLost) {
		e.lost = err
	}
	return true, err
}

// specOf describes a product to the master: what lies in the segment is used
// there, other operands come packed, and under isolation C is staged. ok is
// false if goroutines are to do it.
func specOf[T elem.Float](e *processes, x *gemm.Tile[T]) (s master.Spec, ok bool) {
	ar := arithmeticOf[T](e.of)
	s = master.Spec{Type: elem.Of[T](), Alpha: float64(x.A.Scale), Beta: float64(x.Beta), Kernel: ar.kernel, Blocking: ar.blocking}
	s.A, s.B = operandOf(e, &x.A), operandOf(e, &x.B)
	s.B.Matrix = s.B.T()
	s.C0.Matrix = shmmat.Matrix{Rows: int64(x.I1), Cols: int64(x.J1), LD: int64(x.J1), Type: s.Type}
	if e.of.isolated {
		return s, true
	}
	s.Out.Kept = s.C0.Matrix
	s.Out.Kept.LD = int64(x.LDC)
	return s, place(e, &s.Out.Kept, x.C) && !s.A.Packed && !s.B.Packed
}

// operandOf describes op(A), or op(B)ᵀ.
func operandOf[T elem.Float](e *processes, o *gemm.Operand[T]) (op master.Operand) {
	s := &o.Stored
	op.Matrix = shmmat.Matrix{Rows: int64(o.Packed.Lanes), Cols: int64(o.Packed.Depth), Type: elem.Of[T]()}
	if s.DepthStride == 1 && s.LaneStride >= o.Packed.Depth {
		op.LD = int64(s.LaneStride)
	} else {
		op.LD, op.Order = int64(s.DepthStride), shmmat.ColMajor
	}
	op.Packed = !place(e, &op.Matrix, s.Data)
	return op
}

// place notes in which segment a matrix lies that begins with data, and where.
// It reports false if that is none; an empty matrix lies anywhere.
func place[T elem.Float](e *processes, m *shmmat.Matrix, data []T) (ok bool) {
	if m.Rows == 0 || m.Cols == 0 {
		return true
	}
	n := (m.Majors()-1)*m.LD + m.Minors()
	m.Segment, m.Offset, ok = e.find(address(data), n*int64(m.Type.Size()))
	return ok
}

// run does a product in its turn. x.C is written by the workers if it lies in
// the segment, and otherwise by the last step, after all has gone well.
func run[T elem.Float](ctx context.Context, e *processes, s master.Spec, x *gemm.Tile[T]) error {
	plan, err := master.NewPlan(s, e.of.workers)
	if err != nil {
		return err
	}
	if bytes := plan.Layout.Bytes(); bytes > e.most {
		if err := e.afford(bytes - e.most); err != nil {
			return err
		}
		e.most = bytes
	}
	job, err := e.pool.Prepare(ctx, plan)
	if err != nil {
		return err
	}
	defer job.Close()
	err = errors.Join(
		packInto(e, s.A, shmmat.PanelsA, s.Kernel.MR, &x.A),
		packInto(e, s.B, shmmat.PanelsB, s.Kernel.NR, &x.B))
	if err == nil && x.Beta != 0 {
		err = withRegion(e, shmmat.InitC, func(c0 []T) { copyRows(e, c0, x.J1, x.C0, x.LDC0, x.I1, x.J1) })
	}
	if err != nil {
		return err
	}
	report, err := job.Run(ctx)
	e.of.count.replaced.Add(uint64(report.Deaths))
	if err == nil && s.Out.Kept.Segment == 0 {
		err = withRegion(e, shmmat.C, func(c []T) { copyRows(e, x.C, x.LDC, c, x.J1, x.I1, x.J1) })
	}
	return err
}

// withRegion calls use with the memory of a region of the job's data segment.
func withRegion[T elem.Float](e *processes, r shmmat.Region, use func([]T)) error {
	mem, err := master.Elements[T](e.pool, r)
	if err == nil {
		use(mem)
	}
	return err
}

// packInto packs an operand that does not lie in the segment into its panels.
func packInto[T elem.Float](e *processes, op master.Operand, r shmmat.Region, width int, o *gemm.Operand[T]) error {
	if !op.Packed {
		return nil
	}
	return withRegion(e, r, func(mem []T) {
		dst := gemm.Panels[T]{Data: mem, Width: width, Lanes: o.Packed.Lanes, Depth: o.Packed.Depth}
		k := arithmeticOf[T](e.of).kernel
		e.divide(dst.Lanes, width, func(l0, l1 int) {
			src := o.Stored
			src.Data = src.Data[l0*src.LaneStride:]
			gemm.Pack(k, dst, l0, l1, 0, dst.Depth, src, o.Scale)
		})
		e.copied(elem.Of[T](), dst.Lanes*dst.Depth)
	})
}

// copyRows copies m rows of n elements.
func copyRows[T elem.Float](e *processes, dst []T, ldd int, src []T, lds, m, n int) {
	e.divide(m, 1, func(i0, i1 int) {
		for i := i0; i < i1; i++ {
			copy(dst[i*ldd:i*ldd+n], src[i*lds:])
		}
	})
	e.copied(elem.Of[T](), m*n)
}

// copied counts what was copied between the program's memory and the segment.
func (e *processes) copied(t elem.Type, elements int) {
	e.of.count.copied.Add(uint64(elements) * uint64(t.Size()))
}

// divide cuts [0, n) into a piece for each worker, in multiples of unit, and
// calls do with all of them at once.
func (e *processes) divide(n, unit int, do func(from, to int)) {
	step := ((n-1)/e.of.workers/unit + 1) * unit
	var pieces sync.WaitGroup
	for at := 0; at < n; at += step {
		pieces.Go(func() { do(at, min(at+step, n)) })
	}
	pieces.Wait()
}
