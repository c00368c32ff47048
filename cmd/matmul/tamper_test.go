package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAWrongResultIsNotWritten spoils C under the hands of a run, between the
// store and the check: as a faulty machine might.
func TestAWrongResultIsNotWritten(t *testing.T) {
	dir := operands(t, 600) // the check takes long enough to be met
	r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--verify", "exact", "--workers", "1")
	for len(r.ended) == 0 {
		spoil(r.pid(), dir)
	}
	if code := r.wait(); code != exitWrong {
		t.Errorf("exit status %d, want %d", code, exitWrong)
	}
	got := r.stderr.String()
	if !strings.HasPrefix(got, "matmul: c.npy: is not the product: ") || strings.Count(got, "\n") != 1 ||
		!strings.HasSuffix(got, "; nothing was written: the machine may be faulty, run again\n") {
		t.Errorf("standard error is %q", got)
	}
	r.left(time.Second)
}

// spoil changes the last element of the file without a name that a process has
// open in a directory.
func spoil(pid int, dir string) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if to, _ := os.Readlink(link); !strings.HasPrefix(to, dir) || strings.HasSuffix(to, ".npy") {
			continue
		}
		f, err := os.OpenFile(link, os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		if st, err := f.Stat(); err == nil && st.Size() > 8 {
			f.WriteAt([]byte("spoiled!"), st.Size()-8)
		}
		f.Close()
	}
}

// TestAnInputThatShrinksIsAnErrorAndNotACrash truncates A while it is read, or
// while C is computed from it.
func TestAnInputThatShrinksIsAnErrorAndNotACrash(t *testing.T) {
	dir := operands(t, 700)
	path := filepath.Join(dir, "a.npy")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, method := range []string{"freivalds", "none", "exact", "gonum"} {
		r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--isa", "generic", "--verify", method)
		awaitWorkers(r, 1)
		moment(40 * time.Millisecond)
		if err := os.Truncate(path, int64(len(whole)/2)); err != nil {
			t.Fatal(err)
		}
		code, said := r.wait(), r.stderr.String()
		switch {
		case code == exitInput && strings.HasPrefix(said, "matmul: a.npy: ") && strings.Count(said, "\n") == 1:
			seen++
			r.left(time.Second)
		case code == 0: // it needed A no more
			r.left(time.Second, "c.npy")
			os.Remove(filepath.Join(dir, "c.npy"))
		default:
			t.Errorf("exit status %d: %s", code, said)
		}
		if err := os.WriteFile(path, whole, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if seen == 0 {
		t.Error("no run noticed it: this shows nothing")
	}
}
