package shmmat

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"matmul/tiling"
)

func board(t testing.TB, workers int) *Board {
	b, err := OpenBoard(alignedBytes(ControlSize(workers)), workers)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryWriterHasItsOwnCacheLines(t *testing.T) {
	const line = 64
	for name, size := range map[string]uintptr{
		"desk": unsafe.Sizeof(desk{}), "job slot": unsafe.Sizeof(jobSlot{}), "score": unsafe.Sizeof(score{}),
		"record": unsafe.Sizeof(record{}), "seat": unsafe.Sizeof(seat{}),
	} {
		if size%line != 0 {
			t.Errorf("%s takes %d bytes", name, size)
		}
	}
	if n := unsafe.Sizeof(slot[taskPayload]{}); n != line {
		t.Errorf("a task's slot takes %d bytes", n)
	}
	if n := unsafe.Sizeof(slot[answerPayload]{}); n != line {
		t.Errorf("an answer's slot takes %d bytes", n)
	}
	var s seat
	for name, off := range map[string]uintptr{
		"jobs": unsafe.Offsetof(s.jobs), "now": unsafe.Offsetof(s.now), "bell": unsafe.Offsetof(s.bell), "steps": unsafe.Offsetof(s.steps),
		"tasks": unsafe.Offsetof(s.tasks), "answers": unsafe.Offsetof(s.answers),
	} {
		if off%line != 0 {
			t.Errorf("%s lies at %d of its seat", name, off)
		}
	}
}

func TestTasksAndAnswersPassInOrderThroughTheWrapOfTheSequence(t *testing.T) {
	b := board(t, 1)
	m, w := b.Master(0, 7), b.Worker(0, 7)
	start := uint32(math.MaxUint32 - 3*Depth)
	m.tasks.next, m.answers.next, w.tasks.next, w.answers.next = start, start, start, start
	const n = 100000
	var worker sync.WaitGroup
	worker.Go(func() {
		for got := int64(0); got < n; {
			task, ok := w.Take()
			if !ok {
				if err := w.Bell.Wait(w.Waiting, 0, time.Second, false); err != nil {
					t.Error(err)
					return
				}
				continue
			}
			if task.ID != got || task.Rect.R0 != -got {
				t.Errorf("got task %d (%v), want %d", task.ID, task.Rect, got)
				return
			}
			w.Begin(task, 3)
			w.End(task, Answer{Job: task.Job, ID: task.ID}, 3)
			got++
		}
	})
	sent, taken := int64(0), int64(0)
	for taken < n {
		for sent < n && sent-taken < Depth {
			m.Send(Task{Job: 9, Kind: tiling.Multiply, ID: sent, Rect: tiling.Rect{R0: -sent}})
			sent++
		}
		a, ok := m.Take()
		if !ok {
			if err := b.Bell().Wait(m.Waiting, 0, time.Second, false); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if a.ID != taken || a.Job != 9 {
			t.Fatalf("got the answer to %d, want %d", a.ID, taken)
		}
		taken++
	}
	worker.Wait()
	if got := b.Tally(3); got.Active != 0 || got.Finished != n {
		t.Errorf("scoreboard says %+v, want %d finished", got, n)
	}
	if got := b.Progress(9); got != (Progress{Tasks: n, Tiles: n}) {
		t.Errorf("of job 9 the scoreboard says %+v, want %d tiles without elements", got, n)
	}
}

func TestTheScoreboardCountsWhatIsDoneOfEachJob(t *testing.T) {
	b := board(t, 2)
	tile := Task{Kind: tiling.Multiply, Rect: tiling.Rect{R1: 3, C1: 5}}
	for i, w := range []*WorkerEnd{b.Worker(0, 1), b.Worker(1, 1)} {
		for _, task := range []Task{{Job: 4, Kind: tiling.PackA}, {Job: 4, Kind: tile.Kind, Rect: tile.Rect}, {Job: 5, Kind: tile.Kind, Rect: tile.Rect}} {
			begin := w.Begin(task, 3)
			w.End(task, Answer{Begin: begin, End: begin + int64(10+i)}, 3)
		}
		w.End(Task{Kind: Nop}, Answer{End: 1e9}, 3)
		w.Begin(tile, 3)
		w.End(tile, Answer{Status: Failed}, 3)
	}
	if got, want := b.Progress(4), (Progress{Tasks: 4, Tiles: 2, Elements: 30}); got != want {
		t.Errorf("job 4: %+v, want %+v", got, want)
	}
	if b.Busy(0) != 30 || b.Busy(1) != 33 {
		t.Errorf("busy: %v and %v, want 30ns and 33ns", b.Busy(0), b.Busy(1))
	}
	b.Clear(1)
	if got, want := b.Progress(5), (Progress{Tasks: 2, Tiles: 2, Elements: 30}); got != want || b.Busy(1) != 33 {
		t.Errorf("after a death, job 5: %+v, want %+v; busy: %v", got, want, b.Busy(1))
	}
	w := b.Worker(0, 2)
	task := Task{Job: 4 + Jobs, Kind: tiling.Store}
	w.End(task, Answer{}, 3)
	if got, want := b.Progress(task.Job), (Progress{Tasks: 1}); got != want {
		t.Errorf("a job in the place of job 4: %+v, want %+v", got, want)
	}
	if got, want := b.Progress(4), (Progress{Tasks: 2, Tiles: 1, Elements: 15}); got != want {
		t.Errorf("job 4, which one worker has forgotten: %+v, want %+v", got, want)
	}
}

func TestWhatADeadWorkerLeftBehindIsNotTaken(t *testing.T) {
	b := board(t, 1)
	m, w := b.Master(0, 1), b.Worker(0, 1)
	for i := range int64(Depth) {
		m.Send(Task{ID: i})
	}
	for range Depth {
		task, _ := w.Take()
		w.End(task, Answer{ID: task.ID}, 0)
	}
	m2, w2 := b.Master(0, 2), b.Worker(0, 2)
	if _, ok := w2.Take(); ok {
		t.Error("the new worker takes a task of the old one")
	}
	if _, ok := m2.Take(); ok {
		t.Error("the master takes an answer of the old worker as one of the new")
	}
	w.answers.put(answerPayload{}) // the old one wakes up and answers late
	if _, ok := m2.Take(); ok {
		t.Error("a late answer was taken")
	}
}

// TestNoWakeUpIsLost sleeps with a limit that would show as a hang: each round
// trip has two wake-ups, and the two sides never spin.
func TestNoWakeUpIsLost(t *testing.T) {
	b := board(t, 1)
	m, w := b.Master(0, 1), b.Worker(0, 1)
	const rounds = 20000
	const forever = time.Minute
	start := time.Now()
	var worker sync.WaitGroup
	worker.Go(func() {
		for range rounds {
			for !w.Waiting() {
				w.Bell.Wait(w.Waiting, 0, forever, false)
			}
			task, _ := w.Take()
			w.End(task, Answer{ID: task.ID}, 0)
		}
	})
	for i := range int64(rounds) {
		m.Send(Task{ID: i})
		for !m.Waiting() {
			b.Bell().Wait(m.Waiting, 0, forever, false)
		}
		if a, _ := m.Take(); a.ID != i {
			t.Fatalf("got the answer to %d, want %d", a.ID, i)
		}
	}
	worker.Wait()
	if took := time.Since(start); took > forever {
		t.Errorf("%d round trips took %v: a sleep ran into its limit", rounds, took)
	}
}

func TestARecordIsNeverReadTorn(t *testing.T) {
	b := board(t, 1)
	var stop atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := uint32(1); !stop.Load(); i++ {
			b.seat(0).now.set(Activity{Job: i, Task: int64(i), Begin: int64(i)})
		}
	})
	read := 0
	for deadline := time.Now().Add(time.Minute); read < 10000 && time.Now().Before(deadline); {
		a, ok := b.Activity(0)
		if !ok {
			continue
		}
		read++
		if int64(a.Job) != a.Task || a.Task != a.Begin {
			t.Fatalf("torn: %+v", a)
		}
	}
	stop.Store(true)
	writer.Wait()
	if read < 10000 {
		t.Errorf("only %d reads succeeded in a minute", read)
	}
}

func TestAWriterThatDiedWithinARecordDoesNotHoldReadersUp(t *testing.T) {
	b := board(t, 1)
	b.seat(0).now.version.Store(5)
	if _, ok := b.Activity(0); ok {
		t.Error("a half-written record was read")
	}
	b.Clear(0)
	if a, ok := b.Activity(0); !ok || a != (Activity{}) {
		t.Errorf("after Clear: %+v %v", a, ok)
	}
}

func TestJobRecordsAreFoundByTheirNumber(t *testing.T) {
	b := board(t, 1)
	b.Publish(Job{ID: 3, M: 42})
	if j, err := b.Job(3); err != nil || j.M != 42 {
		t.Errorf("got %+v, %v", j, err)
	}
	if _, err := b.Job(3 + Jobs); err == nil {
		t.Error("the record of another job was returned")
	}
}

func TestOpenBoardRefusesARegionThatIsTooSmall(t *testing.T) {
	if _, err := OpenBoard(make([]byte, ControlSize(2)-1), 2); err == nil {
		t.Error("accepted")
	}
}

// BenchmarkHandOver is the way of a task to a worker and of its answer back,
// between two goroutines that spin.
func BenchmarkHandOver(bench *testing.B) {
	b := board(bench, 1)
	m, w := b.Master(0, 1), b.Worker(0, 1)
	var worker sync.WaitGroup
	worker.Go(func() {
		for range bench.N {
			for !w.Waiting() {
				w.Bell.Wait(w.Waiting, time.Millisecond, time.Second, false)
			}
			task, _ := w.Take()
			w.End(task, Answer{ID: task.ID}, 0)
		}
	})
	for i := range int64(bench.N) {
		m.Send(Task{ID: i})
		for !m.Waiting() {
			b.Bell().Wait(m.Waiting, time.Millisecond, time.Second, false)
		}
		m.Take()
	}
	worker.Wait()
}
