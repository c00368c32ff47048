//go:build mpi

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ranksIn returns the processes of this program, ranks and workers, whose working
// directory is dir.
func ranksIn(dir string) (ranks, workers []int) {
	for _, s := range processes() {
		proc := fmt.Sprintf("/proc/%d/", s.pid)
		if cwd, err := os.Readlink(proc + "cwd"); err != nil || cwd != dir {
			continue
		}
		line, err := os.ReadFile(proc + "cmdline")
		args := bytes.Split(line, []byte{0})
		switch {
		case err != nil || len(args) < 2:
		case string(args[0]) == "matmul-worker":
			workers = append(workers, s.pid)
		case filepath.Base(string(args[0])) == "matmul" && string(args[1]) == "run":
			ranks = append(ranks, s.pid)
		}
	}
	return ranks, workers
}

// ranksEnd waits for the end of all ranks and workers, and of the launcher, and
// returns its exit status; ended is called when the ranks are gone. A launcher that
// is there long after its last rank hangs by itself: it is ended, and counted.
func (r *running) ranksEnd(hung *int, ended func()) int {
	r.t.Helper()
	var gone time.Time
	eventually(r.t, testPatience, func() string {
		ranks, workers := ranksIn(r.dir)
		switch {
		case len(ranks)+len(workers) > 0:
			gone = time.Time{}
		case len(r.ended) > 0:
			ended()
			return ""
		case gone.IsZero():
			gone = time.Now()
			ended()
		case time.Since(gone) > testPatience/4:
			*hung++
			syscall.Kill(-r.pid(), syscall.SIGKILL)
			return ""
		}
		return "there are left, or their launcher: " + doing(ranks, workers)
	})
	return r.wait()
}

// TestRanksEndWithoutTheirLauncher: one that is killed, or that is stopped when a
// rank is killed, ends nobody. The ranks end themselves.
func TestRanksEndWithoutTheirLauncher(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	runCommand(t, dir, "gen", "-o", "a.npy", "--rows", "6000", "--cols", "6000")
	for name, harm := range map[string]func(launchers, ranks []int){
		"killed": func(launchers, _ []int) {
			signalAll(launchers, syscall.SIGKILL)
		},
		"stopped, and a rank killed": func(launchers, ranks []int) {
			signalAll(launchers, syscall.SIGSTOP)
			signalAll(ranks[1:2], syscall.SIGKILL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRanks(t, dir, 3, "run", "a.npy", "a.npy", "-o", "c.npy")
			eventually(t, testPatience, func() string {
				if !exists(filepath.Join(dir, "c.npy.part")) && len(r.ended) == 0 {
					ranks, workers := ranksIn(dir)
					return "the ranks do not begin to compute: " + doing(ranks, workers)
				}
				return ""
			})
			ranks, _ := ranksIn(dir)
			if len(ranks) != 3 {
				t.Fatalf("there are ranks %v: %s", ranks, r.stderr.String())
			}
			launchers := ancestors(ranks[0], r.pid())
			harm(launchers, ranks)
			begin := time.Now()
			eventually(t, testPatience, func() string {
				if ranks, workers := ranksIn(dir); len(ranks)+len(workers) > 0 {
					return "there are left: " + doing(ranks, workers)
				}
				return ""
			})
			t.Logf("all ranks had ended after %v", time.Since(begin))
			if exists(filepath.Join(dir, "c.npy")) {
				t.Error("there is a c.npy")
			}
			signalAll(launchers, syscall.SIGKILL)
			os.Remove(filepath.Join(dir, "c.npy.part")) // which an end in time does, too
		})
	}
}

// doing says what the threads of ranks and workers wait for.
func doing(ranks, workers []int) string {
	var b strings.Builder
	for what, pids := range map[string][]int{"rank": ranks, "worker": workers} {
		for _, pid := range pids {
			fmt.Fprintf(&b, "\n%s %d:", what, pid)
			tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
			for _, task := range tasks {
				fmt.Fprintf(&b, " %s", read(task+"/wchan"))
			}
		}
	}
	return b.String()
}

// ancestors returns the processes that have started pid, up to the one given.
func ancestors(pid, last int) (pids []int) {
	parents := map[int]int{}
	for _, s := range processes() {
		parents[s.pid] = s.parent
	}
	for pid != last && parents[pid] > 0 {
		pid = parents[pid]
		pids = append(pids, pid)
	}
	return pids
}

func signalAll(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		syscall.Kill(pid, s)
	}
}

// TestAKilledRankIsResumed: a rank is killed at a random moment. All others end,
// nothing has the output's name, and --resume gives the bits of an undisturbed run,
// on another number of ranks, whoever has the files.
func TestAKilledRankIsResumed(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	runCommand(t, dir, "gen", "-o", "a.npy", "--rows", "6000", "--cols", "1500")
	runCommand(t, dir, "gen", "-o", "b.npy", "--rows", "1500", "--cols", "300", "--seed", "2")
	runCommand(t, dir, "run", "a.npy", "b.npy", "-o", "one.npy", "--workers", "1")
	want := sum(t, filepath.Join(dir, "one.npy"))
	args := []string{"run", "a.npy", "b.npy", "-o", "c.npy", "--checkpoint", "10ms"}
	kept, hung, slowest := 0, 0, time.Duration(0)
	from, to := runs(t, 2, 100)
	for seed := from; seed <= to; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 9))
		files := func() []string { return slices.Concat(args, [][]string{nil, {"--scatter"}}[rnd.IntN(2)]) }
		r := startRanks(t, dir, 2+rnd.IntN(3), files()...)
		eventually(t, testPatience, func() string {
			ranks, workers := ranksIn(dir)
			// Every other time they are to have begun to compute.
			if (len(ranks) == 0 || seed%2 == 0 && !exists(filepath.Join(dir, "c.npy.part"))) && len(r.ended) == 0 {
				return "the ranks do not begin: " + doing(ranks, workers)
			}
			return ""
		})
		time.Sleep(time.Duration(rnd.Int64N(int64(time.Second))))
		if ranks, _ := ranksIn(dir); len(ranks) > 0 {
			syscall.Kill(ranks[rnd.IntN(len(ranks))], syscall.SIGKILL)
		}
		begin := time.Now()
		code := r.ranksEnd(&hung, func() { slowest = max(slowest, time.Since(begin)) })
		there := exists(filepath.Join(dir, "c.npy"))
		if there && sum(t, filepath.Join(dir, "c.npy")) != want {
			t.Fatalf("kill %d: status %d, and c.npy is not the product", seed, code)
		}
		if code == exitDone && !there {
			t.Fatalf("kill %d: status 0 without a product", seed)
		}
		again := startRanks(t, dir, 1+rnd.IntN(4), append(files(), "--resume", "--force")...)
		if code := again.ranksEnd(&hung, func() {}); code != exitDone {
			t.Fatalf("kill %d: the resumed run ended with status %d: %s", seed, code, again.stderr.String())
		}
		if !strings.Contains(again.stdout.String(), " 0 of ") && strings.Contains(again.stdout.String(), "kept") {
			kept++
		}
		if got := sum(t, filepath.Join(dir, "c.npy")); got != want {
			t.Fatalf("kill %d: C has the SHA-256 %s, want %s", seed, got, want)
		}
		for _, name := range []string{"c.npy.part", "c.npy.journal"} {
			if exists(filepath.Join(dir, name)) {
				t.Fatalf("kill %d: %s is left", seed, name)
			}
		}
		if err := os.Remove(filepath.Join(dir, "c.npy")); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, rows were kept after %d of them; all ranks had ended after %v; the launcher hung %d times; SHA-256 %s",
		to-from+1, kept, slowest, hung, want)
}
