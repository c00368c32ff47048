package master_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/master"
	"matmul/shmmat"
)

// How long the pool of TestEndurance works:
//
//	go test -tags campaign -timeout 0 -v -run Endurance -duration 2h ./master
var duration = flag.Duration("duration", 0, "how long TestEndurance takes (default: 2h in a campaign, else 10s)")

// A level is what a pool takes while it rests: all workers there, none busy.
type level struct {
	master, workers int64 // resident private memory of this process, and of the workers on average, bytes
	shared          int64 // memory of segments, bytes
	descriptors     int
	children        int
}

// TestEndurance keeps one pool busy with jobs of random shapes, kills a worker
// every second, and now and then all, and compares what everything takes in the
// last quarter of the time with the first.
func TestEndurance(t *testing.T) {
	limit := *duration
	if limit == 0 {
		limit = 10 * time.Second
		if campaign {
			limit = 2 * time.Hour
		}
	}
	const workers, samples, fewest = 3, 40, 8 // however slow the machine is
	pool := openWith(t, master.Config{Workers: workers, Starter: processes, Kind: shmmat.Memfd})
	rng := rand.New(rand.NewPCG(11, 0))
	var kills atomic.Int64
	stop := make(chan struct{})
	defer close(stop)
	go killEverySecond(pool, stop, &kills)

	var levels []level
	jobs := 0
	for begin, due := time.Now(), time.Duration(0); time.Since(begin) < limit || len(levels) < fewest; jobs++ {
		if rng.IntN(2) == 0 {
			endure[float64](t, rng, pool)
		} else {
			endure[float32](t, rng, pool)
		}
		if time.Since(begin) >= due {
			levels = append(levels, rest(t, pool, workers))
			due += limit / samples
		}
		if t.Failed() {
			t.Fatalf("job %d after %v", jobs, time.Since(begin))
		}
	}
	t.Logf("%v: %d jobs, %d kills, %d deaths seen", limit, jobs, kills.Load(), pool.Deaths())
	if int(kills.Load()) < int(limit/time.Second)/2 || pool.Deaths() == 0 {
		t.Error("so few kills show little")
	}
	flat(t, levels)
}

// killEverySecond kills a worker every second, all of them every tenth time.
func killEverySecond(pool *master.Pool, stop <-chan struct{}, kills *atomic.Int64) {
	for n := 1; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
		}
		for i := range pool.Workers() {
			if n%10 != 0 && i != n%pool.Workers() {
				continue
			}
			if _, ok := send(pool, i, syscall.SIGKILL); ok {
				kills.Add(1)
			}
		}
	}
}

// endure does one job of random shape, from memory or from files, and checks it.
func endure[T elem.Float](t *testing.T, rng *rand.Rand, pool *master.Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("the job hangs"))
	defer cancel()
	side := func() int { return rng.IntN(1 << (1 + rng.IntN(9))) }
	p := random[T](side(), side(), side(), 1.3, T(rng.IntN(2)), rng.IntN(2) == 0, rng.IntN(2) == 0)
	s := p.spec(t, gemm.Supported()[rng.IntN(len(gemm.Supported()))])
	if rng.IntN(2) == 0 {
		s.TileM, s.TileN, s.Slice = int64(1+rng.IntN(100)), int64(1+rng.IntN(100)), int64(1+rng.IntN(10000))
	}
	if rng.IntN(2) == 0 {
		same(t, p.inMemory(t, ctx, pool, s), p.want)
		return
	}
	dir, err := os.MkdirTemp("", "matmul-endurance-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f := toFiles(t, dir, p, s)
	defer f.close()
	f.run(t, ctx, pool)
}

// rest waits until all workers are there and returns what everything takes.
func rest(t *testing.T, pool *master.Pool, workers int) (l level) {
	t.Helper()
	debug.FreeOSMemory() // what this test has allocated is not what is looked for
	eventually(t, func() string {
		// Deaths are noticed when the pool has something to do.
		if err := pool.Nops(t.Context(), 1, 1, nil); err != nil {
			t.Fatal(err)
		}
		l = level{master: private(os.Getpid()), descriptors: len(take("").Descriptors)}
		pids := children()
		for _, pid := range pids {
			if content("/proc/"+strconv.Itoa(pid)+"/comm") == "" || !isChild(pid) || private(pid) == 0 {
				return "a worker is missing"
			}
			l.workers += private(pid) / int64(len(pids))
		}
		l.children = len(pids)
		if l.children != workers {
			return "some workers are missing, or too many"
		}
		return ""
	})
	l.shared = sharedBytes()
	return l
}

// private returns the resident memory of a process that is its own, in bytes.
func private(pid int) int64 {
	for line := range strings.Lines(content("/proc/" + strconv.Itoa(pid) + "/status")) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "RssAnon:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// sharedBytes returns the memory of the segments that this process holds.
func sharedBytes() (sum int64) {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		var st syscall.Stat_t
		if to, err := os.Readlink(fd); err == nil && strings.Contains(to, "memfd:") && syscall.Stat(fd, &st) == nil {
			sum += 512 * st.Blocks
		}
	}
	return sum
}

// flat fails the test unless what is taken does not grow: descriptors and
// processes not at all, memory by less than a tenth and some MiB.
func flat(t *testing.T, levels []level) {
	t.Helper()
	quarter := len(levels) / 4
	if quarter == 0 {
		t.Fatalf("only %d samples: too few to compare", len(levels))
	}
	// The first sample is of a pool that is still warming up.
	first, last := levels[1:1+quarter], levels[len(levels)-quarter:]
	for _, m := range []struct {
		what  string
		of    func(level) int64
		slack int64
	}{
		{"private memory of the master", func(l level) int64 { return l.master }, 8 << 20},
		{"private memory of a worker", func(l level) int64 { return l.workers }, 4 << 20},
		{"shared memory", func(l level) int64 { return l.shared }, 32 << 20}, // kept for the next job
		{"descriptors", func(l level) int64 { return int64(l.descriptors) }, 0},
		{"processes", func(l level) int64 { return int64(l.children) }, 0},
	} {
		a, b := median(first, m.of), median(last, m.of)
		t.Logf("%s: %d at first, %d at last", m.what, a, b)
		grown := b > a
		if m.slack > 0 {
			grown = b > a+a/10+m.slack
		}
		if grown {
			t.Errorf("%s grew from %d to %d", m.what, a, b)
		}
	}
}

func median(levels []level, of func(level) int64) int64 {
	v := make([]int64, len(levels))
	for i, l := range levels {
		v[i] = of(l)
	}
	slices.Sort(v)
	return v[len(v)/2]
}
