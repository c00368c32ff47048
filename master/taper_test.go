package master_test

import (
	"syscall"
	"testing"

	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
)

// TestPartsOfTheLastTilesMakeTheWholeOfC does jobs in which eight tiles are for
// three workers, so that the last ones are cut, at first undisturbed and then with
// workers that are killed.
func TestPartsOfTheLastTilesMakeTheWholeOfC(t *testing.T) {
	const workers, tiles = 3, 8
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
	const m, n, k = 8192, 528, 536 // too much for the reference
	p := &product[float64]{m: m, n: n, k: k, alpha: 1,
		a: random[float64](m, k, 0, 1, 1, false, false).c0, b: random[float64](k, n, 0, 1, 1, false, false).c0}
	s := p.spec(t, gemm.Auto)
	whole := s
	whole.TileM, whole.TileN = 104, 528 // too little to be cut
	p.want = p.inMemory(t, ctx, pool, whole)
	parts := 0
	check := func() {
		t.Helper()
		events = nil
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
		parts += max(len(events)-tiles, 0)
	}
	for range 5 {
		check()
	}
	if parts == 0 {
		t.Error("no tile was cut: the test shows nothing")
	}
	kill = true
	for range 5 {
		check()
	}
	if pool.Deaths() == 0 {
		t.Error("no worker was killed: the test shows nothing")
	}
	t.Logf("%d parts, %d deaths", parts, pool.Deaths())
}
