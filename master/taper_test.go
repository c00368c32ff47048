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
	if events := makeTheWholeOfC(t, 8192, 528, 536, tiles, 0); len(events) <= repeats*tiles {
		t.Errorf("%d tasks are %d times %d tiles: none was cut, and the test shows nothing", len(events), repeats, tiles)
	}
}

// TestStripsMakeTheWholeOfC does jobs in which each of three workers has one tile, as
// large as its speed says.
func TestStripsMakeTheWholeOfC(t *testing.T) {
	sizes := map[int64]bool{}
	for _, e := range makeTheWholeOfC(t, 1536, 528, 1024, 3, 0, 0.8, 1, 1.2) {
		sizes[e.Rect.Rows()] = true
	}
	if delete(sizes, 512); len(sizes) == 0 {
		t.Error("all strips are of equal size: the test shows nothing")
	}
}

// TestWhatStripsHoldBackIsMade does jobs of strips for three workers whose speeds are
// known to vary, so that a part of C is for those who end first.
func TestWhatStripsHoldBackIsMade(t *testing.T) {
	const strips = 3
	events := makeTheWholeOfC(t, 1536, 1056, 1024, strips, 0.1, 0.8, 1, 1.2)
	if len(events) <= repeats*strips {
		t.Errorf("%d tasks are %d times %d strips: nothing was held back, and the test shows nothing", len(events), repeats, strips)
	}
}

// TestWhoHandsPartsOutComputesNone does a small job of strips, first as it is, and then
// where a part of C is held back.
func TestWhoHandsPartsOutComputesNone(t *testing.T) {
	seats := map[int]int{}
	pool := openWith(t, master.Config{Workers: 2, Starter: processes, Kind: shmmat.Memfd, Trace: func(e master.Event) { seats[e.Seat]++ }})
	const n = 784
	p := &product[float64]{m: n, n: n, k: n, alpha: 1,
		a: random[float64](n, n, 0, 1, 1, false, false).c0, b: random[float64](n, n, 0, 1, 1, false, false).c0}
	s := p.spec(t, gemm.Auto)
	ctx := limited(t)
	for len(seats) < 2 && ctx.Err() == nil { // until a worker is there the master does both tasks
		clear(seats)
		p.want = p.inMemory(t, ctx, pool, s)
	}
	if len(seats) != 2 || seats[-1] != 1 {
		t.Errorf("a small job that holds nothing back: %v tasks by seat, want one of the master (-1) and one of a worker", seats)
	}
	clear(seats)
	pool.Presume(0.1, 1, 1)
	same(t, p.inMemory(t, ctx, pool, s), p.want)
	if seats[-1] > 0 || seats[0]+seats[1] < 3 {
		t.Errorf("a small job that holds something back: %v tasks by seat, want none of the master (-1), and three or more", seats)
	}
}

// repeats is how often makeTheWholeOfC multiplies undisturbed, and with workers killed.
const repeats = 5

// makeTheWholeOfC multiplies again and again on three workers, at first undisturbed and
// then with workers that are killed. The pool presumes the speeds, if there are any, and
// how much they vary. It returns the events of the undisturbed jobs.
func makeTheWholeOfC(t *testing.T, m, n, k, tiles int, unsteady float64, speeds ...float64) (all []master.Event) {
	const workers = 3
	var pool *master.Pool
	var events []master.Event
	kill := false
	pool = openWith(t, master.Config{Workers: workers, Starter: processes, Kind: shmmat.Memfd,
		Trace: func(e master.Event) {
			events = append(events, e)
			if n := len(events); kill && (n == 2 || n == tiles) {
				if pid := pool.Pids()[(e.Seat+1)%workers]; pid > 0 { // 0 while another one starts
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}})
	ctx := limited(t)
	p := &product[float64]{m: m, n: n, k: k, alpha: 1,
		a: random[float64](m, k, 0, 1, 1, false, false).c0, b: random[float64](k, n, 0, 1, 1, false, false).c0}
	s := p.spec(t, gemm.Auto)
	whole := s                               // too much for the reference
	whole.TileM, whole.TileN = 104, int64(n) // too little to be cut
	p.want = p.inMemory(t, ctx, pool, whole)
	check := func() {
		t.Helper()
		events = nil
		pool.Presume(unsteady, speeds...)
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
