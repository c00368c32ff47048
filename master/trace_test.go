package master_test

import (
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
	"matmul/tiling"
)

// TestATraceHasEachTaskOnceAndTheTimeOfTheScoreboard traces a job from files
// and one in memory, which the master takes part in.
func TestATraceHasEachTaskOnceAndTheTimeOfTheScoreboard(t *testing.T) {
	const workers = 2
	var mu sync.Mutex
	var events []master.Event
	pool := openWith(t, master.Config{Workers: workers, Starter: processes, Kind: shmmat.Memfd,
		Trace: func(e master.Event) {
			mu.Lock()
			events = append(events, e)
			mu.Unlock()
		}})
	ctx := limited(t)
	p := random[float64](300, 400, 200, 1, 0.5, false, false)

	s := p.spec(t, gemm.Auto)
	s.Name, s.TileM, s.TileN, s.Slice = "from files", 64, 96, 1<<13
	s.A.File, s.A.Offset = file(t, "a", p.a)
	s.B.File, s.B.Offset = file(t, "b", p.b)
	s.C0.File, s.C0.Offset = file(t, "c0", p.c0)
	s.Out.File, s.Out.Offset = file(t, "c", make([]float64, p.m*p.n))
	j := prepare(t, ctx, pool, s)
	rep, err := j.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != j.Tasks() || rep.Tasks != j.Tasks() {
		t.Errorf("%d events and %d tasks in the report, the plan has %d", len(events), rep.Tasks, j.Tasks())
	}
	seen := map[int64]bool{}
	flops, last, busy := 0.0, [workers]int64{}, [workers]time.Duration{}
	for _, e := range events {
		switch {
		case seen[e.ID] || e.Kind != j.Kind(int(e.ID)) || e.Rect != j.Rect(int(e.ID)) || e.Job != s.Name || e.Ready < 0:
			t.Fatalf("not a task of the plan, or not the first time: %+v", e)
		case e.Sent > e.Begin || e.Begin > e.End || e.Begin < last[e.Seat]:
			t.Fatalf("times of task %d run backwards, the seat's last ended at %d: %+v", e.ID, last[e.Seat], e)
		}
		seen[e.ID] = true
		last[e.Seat] = e.End
		busy[e.Seat] += time.Duration(e.End - e.Begin)
		flops += e.Flops
	}
	if want := j.Flops(); flops != want {
		t.Errorf("%g operations, want %g", flops, want)
	}
	for i, b := range busy {
		if got := pool.Board().Busy(i); got != b {
			t.Errorf("worker %d: busy for %v by the scoreboard, %v by the trace", i, got, b)
		}
	}
	tiles := int64(0)
	for id := range j.Tasks() {
		if j.Kind(id) == tiling.Multiply {
			tiles++
		}
	}
	if got, want := pool.Board().Progress(j.ID()), (shmmat.Progress{Tasks: int64(j.Tasks()), Tiles: tiles, Elements: j.M * j.N}); got != want {
		t.Errorf("the scoreboard says %+v, want %+v", got, want)
	}

	events = nil
	s = p.spec(t, gemm.Auto)
	s.Name, s.TileM, s.TileN = "in memory", 64, 96
	same(t, p.inMemory(t, ctx, pool, s), p.want)
	flops, here := 0.0, false
	for _, e := range events {
		flops += e.Flops
		here = here || e.Seat == -1
		if e.Job != s.Name || e.Kind != tiling.Multiply || e.Sent > e.Begin || e.Begin > e.End {
			t.Errorf("not a task of a job in memory: %+v", e)
		}
	}
	if !here || flops != j.Flops() {
		t.Errorf("a task of the master: %v; %g operations, want %g", here, flops, j.Flops())
	}
}

// TestKilledWorkersLeaveNoGapInATrace: tasks that are done again are there once.
func TestKilledWorkersLeaveNoGapInATrace(t *testing.T) {
	var ids []int64
	pool := openWith(t, master.Config{Workers: 2, Starter: processes, Kind: shmmat.Memfd,
		Trace: func(e master.Event) { ids = append(ids, e.ID) }})
	ctx := limited(t)
	p := random[float64](600, 600, 600, 1, 0, false, false)
	s := p.spec(t, gemm.Generic)
	s.TileM, s.TileN = 64, 64
	s.A.File, s.A.Offset = file(t, "a", p.a)
	s.B.File, s.B.Offset = file(t, "b", p.b)
	s.Out.File, s.Out.Offset = file(t, "c", make([]float64, p.m*p.n))
	j := prepare(t, ctx, pool, s)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		for range 3 {
			send(pool, 0, syscall.SIGKILL)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err := j.Run(ctx)
	<-killed
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	for i, id := range ids {
		if id != int64(i) {
			t.Fatalf("event %d of %d is of task %d", i, len(ids), id)
		}
	}
	if len(ids) != j.Tasks() {
		t.Errorf("%d events of %d tasks", len(ids), j.Tasks())
	}
}
