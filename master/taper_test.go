package master_test

import (
	"syscall"
	"testing"

	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
)

// TestPartsOfTheLastTilesMakeTheWholeOfC does jobs in which eight tiles are for
// three workers, so that the last ones are cut.
func TestPartsOfTheLastTilesMakeTheWholeOfC(t *testing.T) {
	const tiles = 8
	if events := makeTheWholeOfC(t, 8192, 528, 536, tiles); len(events) <= repeats*tiles {
		t.Errorf("%d tasks are %d times %d tiles: none was cut, and the test shows nothing", len(events), repeats, tiles)
	}
}

// TestStripsMakeTheWholeOfC does jobs in which each of three workers has one tile, as
// large as its speed says.
func TestStripsMakeTheWholeOfC(t *testing.T) {
	sizes := map[int64]bool{}
	for _, e := range makeTheWholeOfC(t, 1536, 528, 1024, 3, 0.8, 1, 1.2) {
		sizes[e.Rect.Rows()] = true
	}
	if delete(sizes, 512); len(sizes) == 0 {
		t.Error("all strips are of equal size: the test shows nothing")
	}
}

// repeats is how often makeTheWholeOfC multiplies undisturbed, and with workers killed.
const repeats = 5

// makeTheWholeOfC multiplies again and again on three workers, at first undisturbed and
// then with workers that are killed. The pool presumes the speeds, if there are any. It
// returns the events of the undisturbed jobs.
func makeTheWholeOfC(t *testing.T, m, n, k, tiles int, speeds ...float64) (all []master.Event) {
	const workers = 3
	var pool *master.Pool
	var events []master.Event
	kill := false
	pool = openWith(t, master.Config{Workers: workers, Starter: processes, Kind: shmmat.Memfd,
		Trace: func(e master.Event) {
			events = append(events, e)
			if n := len(events); kill && (n == 2 || n == tiles) {
				syscall.Kill(pool.Pids()[(e.Seat+1)%workers], syscall.SIGKILL)
			}
		}})
	ctx := limited(t)
	p := &product[float64]{m: m, n: n, k: k, alpha: 1,
		a: random[float64](m, k, 0, 1, 1, false, false).c0, b: random[float64](k, n, 0, 1, 1, false, false).c0}
	s := p.spec(t, gemm.Auto)
	whole := s                          // too much for the reference
	whole.TileM, whole.TileN = 104, 528 // too little to be cut
	p.want = p.inMemory(t, ctx, pool, whole)
	check := func() {
		t.Helper()
		events = nil
		pool.Presume(speeds...)
		same(t, p.inMemory(t, ctx, pool, s), p.want)
		seen, elements := map[int64]bool{}, int64(0)
		for _, e := range events {
			if seen[e.ID] {
				t.Fatalf("task %d is there twice", e.ID)
			}
			seen[e.ID] = true
			elements += e.Rect.Rows() * e.Rect.Cols()
		}
		if want := int64(len(p.want)); elements != want {
			t.Errorf("tasks cover %d elements, C has %d", elements, want)
		}
	}
	for range repeats {
		check()
		all = append(all, events...)
	}
	kill = true
	for range repeats {
		check()
	}
	if pool.Deaths() == 0 {
		t.Error("no worker was killed: the test shows nothing")
	}
	t.Logf("%d tasks, %d deaths", len(all), pool.Deaths())
	return all
}
