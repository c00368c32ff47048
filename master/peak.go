package master

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"matmul/internal/gemm"
	"matmul/shmmat"
	"matmul/tiling"
)

// Peak measures the FMA limit of a kernel's instruction set and type: the
// workers, or as many of them as there are processors, at once do nothing but
// FMAs in registers for about d. It returns the sum in flop/s.
func (p *Pool) Peak(ctx context.Context, k *gemm.Kernel, d time.Duration) (float64, error) {
	w := &peakWork{rect: tiling.Rect{R0: d.Nanoseconds(), C0: int64(k.ISA), C1: int64(k.Type)}}
	w.left = min(len(p.members), runtime.NumCPU())
	w.seats = w.left
	if err := p.drive(ctx, poolPriority, w); err != nil {
		return 0, fmt.Errorf("measure the FMA limit: %w", err)
	}
	return w.sum, nil
}

// peakWork gives each worker one measurement, all at the same time.
type peakWork struct {
	workersOnly
	rect  tiling.Rect
	seats int // how many workers measure
	left  int // how many of them have not answered
	sum   float64
	had   map[*member]bool
}

func (w *peakWork) next(m *member) (t shmmat.Task, ok, hold bool) {
	if len(w.had) == w.seats || w.had[m] || len(m.held) > 0 {
		return t, false, len(w.had) < w.seats && !w.had[m]
	}
	if w.had == nil {
		w.had = map[*member]bool{}
	}
	w.had[m] = true
	return shmmat.Task{Kind: shmmat.Peak, ID: int64(m.index), Rect: w.rect}, true, false
}

func (w *peakWork) done(_ *member, _ shmmat.Task, a shmmat.Answer) {
	w.left--
	w.sum += float64(a.Value)
}

// lost counts a worker that died over its measurement as one without a limit:
// measuring is not worth repeating.
func (w *peakWork) lost(*member, shmmat.Task) { w.left-- }

func (w *peakWork) finished() bool { return w.left == 0 }
