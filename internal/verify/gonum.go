package verify

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// gonum's product is computed in pieces that bound memory and the time to a
// cancellation: a patch of C at a time, each with its k in chunks.
const (
	patchRows  = 1024
	patchCols  = 2048
	patchDepth = 512
)

// gonum compares every element with gonum's product, computed in float64 by
// blas64.Gemm, within elementBound; what that cannot judge is compared with
// the definition.
func (j *job) gonum(ctx context.Context, o Options) (Report, error) {
	chunks := int64(1)
	if j.product {
		chunks = ceilDiv(j.k, patchDepth)
	}
	meter := newMeter(o, ceilDiv(j.m, patchRows)*ceilDiv(j.n, patchCols)*chunks)
	p := newPatch(ctx, j, o)
	t := newTally()
	defined := int64(0)
	for r := int64(0); r < j.m; r += patchRows {
		for c := int64(0); c < j.n; c += patchCols {
			p.rect = rect{r, min(r+patchRows, j.m), c, min(c+patchCols, j.n)}
			if err := p.compute(func() { meter.add(1) }); err != nil {
				return Report{}, err
			}
			p.compare(&t)
			n, err := p.settle(&t)
			if err != nil {
				return Report{}, err
			}
			defined += n
		}
	}
	return Report{Worst: t.worst, Element: t.worst, Wrong: t.wrong, Defined: defined}, nil
}

// compute fills product and g of the patch.
func (p *patch) compute(step func()) error {
	if err := p.begin(); err != nil {
		return err
	}
	if !p.j.product {
		step()
	} else {
		for k := int64(0); k < p.j.k; k += patchDepth {
			if err := p.accumulate(k, min(k+patchDepth, p.j.k)); err != nil {
				return err
			}
			step()
		}
	}
	return p.load(&p.j.c, p.c, p.rect)
}

// begin sets product to beta·C0 and g to its magnitude.
func (p *patch) begin() error {
	rows, cols := int(p.rect.r1-p.rect.r0), int(p.rect.c1-p.rect.c0)
	for _, x := range []*blas64.General{&p.product, &p.g, &p.c} {
		x.Rows, x.Cols, x.Stride = rows, cols, cols
	}
	clear(p.badRow)
	clear(p.maxB)
	clear(p.product.Data)
	if p.j.beta != 0 {
		if err := p.load(&p.j.c0, p.product, p.rect); err != nil {
			return err
		}
	}
	for i, v := range p.product.Data[:rows*cols] {
		p.product.Data[i] = p.j.beta * v
		p.g.Data[i] = math.Abs(p.j.beta * v)
	}
	return nil
}

// accumulate adds the chunk [k0, k1) of k to product and g.
func (p *patch) accumulate(k0, k1 int64) error {
	depth := int(k1 - k0)
	p.a.Rows, p.a.Cols, p.a.Stride = p.product.Rows, depth, depth
	p.b.Rows, p.b.Cols, p.b.Stride = depth, p.product.Cols, p.product.Cols
	if err := p.load(&p.j.a, p.a, rect{p.rect.r0, p.rect.r1, k0, k1}); err != nil {
		return err
	}
	if err := p.load(&p.j.b, p.b, rect{k0, k1, p.rect.c0, p.rect.c1}); err != nil {
		return err
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, p.j.alpha, p.a, p.b, 1, p.product)
	absolute(p.a.Data[:p.a.Rows*depth])
	absolute(p.b.Data[:depth*p.b.Cols])
	p.look()
	blas64.Gemm(blas.NoTrans, blas.NoTrans, math.Abs(p.j.alpha), p.a, p.b, 1, p.g)
	return nil
}

func absolute(x []float64) {
	for i, v := range x {
		x[i] = math.Abs(v)
	}
}
