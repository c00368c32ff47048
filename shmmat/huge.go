package shmmat

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"matmul/internal/sys"
)

// collapseStep is the bytes of one collapse, which no signal interrupts, and
// collapsePatience how long one may take: a kernel that has to move much to find
// huge pages is not asked for more. It is long enough for a host that has to
// find memory for its guest first, which takes some 40 ms.
const (
	collapseStep     = 16 << 20
	collapsePatience = 100 * time.Millisecond
)

// collapsers bounds how many threads collapse at a time: a few fill pages with
// zeros as fast as memory takes them.
const collapsers = 8

// allocateHuge sets memory of the regions aside in huge pages, as far as the
// kernel gives them (MADV_COLLAPSE, Linux 6.1). All that follows gets cheaper
// with them: every view faults once for 2 MiB instead of 512 times, and there
// is less to unmap and to free. Threads share the work, since filling the pages
// with zeros, which small ones leave to whoever touches them first, happens
// here. What is left over is for the caller; nothing that fails here matters.
func (s *Segment) allocateHuge() {
	v, err := s.Map(All(true))
	if err != nil {
		return
	}
	defer v.Close()
	steps := hugeSteps(s.Layout)
	var next atomic.Int64
	var threads sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), collapsers, len(steps)) {
		threads.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(steps)); i = next.Add(1) - 1 {
				if s.collapse(v, steps[i]) != nil {
					next.Store(int64(len(steps))) // nor will the others succeed
				}
			}
		})
	}
	threads.Wait()
}

// hugeSteps cuts the huge pages of the regions into what is collapsed at once, and
// the small ones that follow them into steps of their own.
func hugeSteps(l Layout) (steps []Extent) {
	for _, e := range l.At {
		end := e.Off + e.Len/sys.HugePageSize*sys.HugePageSize
		for off := e.Off; off < end; off += collapseStep {
			steps = append(steps, Extent{off, min(collapseStep, end-off)})
		}
		if rest := e.Off + e.Len - end; rest > 0 && rest < e.Len {
			steps = append(steps, Extent{end, rest})
		}
	}
	return steps
}

// collapse makes the pages of e present and, if they are whole huge ones, huge. The
// kernel collapses none that is quite empty, so each gets a small one first.
func (s *Segment) collapse(v *View, e Extent) error {
	if e.Len < sys.HugePageSize {
		return v.populate(e)
	}
	for off := e.Off; off < e.Off+e.Len; off += sys.HugePageSize {
		if err := fallocate(s.file, Extent{off, 1}); err != nil {
			return err
		}
	}
	start := time.Now()
	if err := v.span.Collapse(e.Off, e.Len); err != nil {
		return err
	}
	if time.Since(start) > collapsePatience {
		return errSlow
	}
	return nil
}

var errSlow = errors.New("huge pages are slow to come")
