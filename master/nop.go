package master

import (
	"context"
	"fmt"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
	"matmul/tiling"
)

// Nops hands n tasks that do nothing to the workers, each of which holds up to
// ahead of them, and returns when all are done: what messages cost. Unless
// took is nil it is told of each how long it was on its way, from before the
// master wrote it to when the worker began it.
func (p *Pool) Nops(ctx context.Context, n, ahead int, took func(time.Duration)) error {
	if err := p.drive(ctx, poolPriority, &nopWork{todo: n, ahead: ahead, took: took}); err != nil {
		return fmt.Errorf("hand out empty tasks: %w", err)
	}
	return nil
}

type nopWork struct {
	workersOnly
	todo  int // not handed out yet, or lost
	ahead int // at most out with a worker
	took  func(time.Duration)
}

func (w *nopWork) next(m *member) (t shmmat.Task, ok, hold bool) {
	if w.todo == 0 || len(m.held) >= w.ahead {
		return t, false, w.todo > 0
	}
	w.todo--
	t.Kind = shmmat.Nop
	if w.took != nil {
		t.Rect = tiling.Rect{R0: sys.Monotonic()}
	}
	return t, true, false
}

func (w *nopWork) done(_ *member, t shmmat.Task, a shmmat.Answer) {
	if w.took != nil {
		w.took(time.Duration(a.Begin - t.Rect.R0))
	}
}

func (w *nopWork) lost(*member, shmmat.Task) { w.todo++ }

func (w *nopWork) finished() bool { return w.todo == 0 }
