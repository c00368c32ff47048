package gen

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"matmul/internal/elem"
	"matmul/internal/matfile"
)

// band is the number of elements that are made and written at a time: 1 MiB
// of float64, which stays in a second-level cache.
const band = 1 << 17

// Write fills out, of type float64 or float32, with what s describes, on all
// processors. It returns the first error, or ctx's cause when that ends first;
// out is then partly written, and it is always the caller's to commit or
// abort.
//
// progress may be nil. It is called after each band, by one goroutine at a
// time, with the number of elements written and of all.
func Write(ctx context.Context, out *matfile.Output, s Spec, progress func(done, total int64)) error {
	if _, err := ParseKind(string(s.Kind)); err != nil {
		return fmt.Errorf("fill %s: %w", out.Path, err)
	}
	switch out.Elem {
	case elem.Float64:
		return write[float64](ctx, out, s, progress, band, runtime.GOMAXPROCS(0))
	case elem.Float32:
		return write[float32](ctx, out, s, progress, band, runtime.GOMAXPROCS(0))
	}
	return fmt.Errorf("fill %s: elements of %s: want float64 or float32", out.Path, out.Elem)
}

func write[T elem.Float](ctx context.Context, out *matfile.Output, s Spec, progress func(done, total int64), band int64, workers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := bands{total: out.Rows * out.Cols, size: band, progress: progress}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			if err := writeBands[T](ctx, out, s, &b); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// writeBands takes bands until there are none, or ctx ends.
func writeBands[T elem.Float](ctx context.Context, out *matfile.Output, s Spec, b *bands) error {
	buf := make([]T, min(b.size, b.total))
	for ctx.Err() == nil {
		first, n := b.take()
		if n == 0 {
			return nil
		}
		fill(buf[:n], s, first, out.Cols)
		if err := matfile.Write(out, buf[:n], first); err != nil {
			return err
		}
		b.finish(n)
	}
	return nil
}

// bands deals out the elements of a matrix and counts what is finished.
type bands struct {
	total, size int64
	progress    func(done, total int64)

	mu          sync.Mutex
	taken, done int64
}

// take returns the first element and the number of the next band, 0 after the
// last.
func (b *bands) take() (first, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first, n = b.taken, min(b.size, b.total-b.taken)
	b.taken += n
	return first, n
}

func (b *bands) finish(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += n
	if b.progress != nil {
		b.progress(b.done, b.total)
	}
}
