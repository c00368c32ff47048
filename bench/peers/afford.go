package main

import (
	"fmt"

	"matmul/shmmat"
	"matmul/tune"
)

// What a process takes besides matrices: a worker its buffers, a library its
// packed blocks and itself.
const (
	perWorker  = 16 << 20
	perLibrary = 128 << 20
)

// afford returns an error that shows the sum if the memory is not to be had.
// All contenders have theirs at the same time.
func (o *options) afford(contenders []*contender) error {
	var sum int64
	text := ""
	for _, c := range contenders {
		n, err := o.need(c)
		if err != nil {
			return err
		}
		sum += n
		text += fmt.Sprintf(" + %s %s", c.name, tune.FormatBytes(n))
	}
	budget := o.limits.Memory()
	if len(budget.Why) > 0 && sum > budget.Bytes {
		return fmt.Errorf("not enough memory: needed are %s (%s), and %s; time fewer or smaller sizes at once",
			tune.FormatBytes(sum), text[3:], budget.Limiter)
	}
	return nil
}

// need returns the bytes that a contender takes.
func (o *options) need(c *contender) (int64, error) {
	if c.kind == kindMatmul {
		return o.needOfMatmul()
	}
	var sizes []size
	for _, s := range o.sizes {
		if o.plays(c, s) {
			sizes = append(sizes, s)
		}
	}
	x, y, z := most(sizes)
	return (x+y+z)*int64(o.dtype.Size()) + perLibrary, nil
}

// needOfMatmul adds up what each region of the segment must have for the size
// that needs it most.
func (o *options) needOfMatmul() (int64, error) {
	plans, err := plansFor(o.kernel, o.sizes, o.workers)
	if err != nil {
		return 0, err
	}
	var longest shmmat.Lengths
	for _, p := range plans {
		for r, e := range p.Layout.At {
			longest[r] = max(longest[r], e.Len)
		}
	}
	l, err := shmmat.NewLayout(longest)
	return l.Bytes() + int64(o.workers+1)*perWorker, err
}
