package master_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"matmul/master"
)

// A census is what this process has that a pool might leave behind.
type census struct {
	Descriptors []string // what they refer to
	Children    []string // that live, or wait to be reaped
	Maps        []string // of shared memory
	Segments    []string // System V, made by this process
	Files       []string // in /dev/shm and in the directory of the pool
}

func take(dir string) (c census) {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil {
			to = strings.TrimRight(to, "0123456789[]") // numbers of sockets and pipes
			c.Descriptors = append(c.Descriptors, to)
		}
	}
	for _, pid := range children() {
		c.Children = append(c.Children, strconv.Itoa(pid))
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) > 5 && (strings.Contains(f[5], "/memfd:") || strings.HasPrefix(f[5], "/dev/shm/") || strings.HasPrefix(f[5], "/SYSV")) {
			c.Maps = append(c.Maps, f[5])
		}
	}
	shm, _ := os.ReadFile("/proc/sysvipc/shm")
	for line := range strings.Lines(string(shm)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == strconv.Itoa(os.Getpid()) {
			c.Segments = append(c.Segments, f[1])
		}
	}
	for _, d := range []string{"/dev/shm", dir} {
		entries, _ := os.ReadDir(d)
		for _, e := range entries {
			if d == dir || strings.Contains(e.Name(), "matmul") && !strings.HasPrefix(e.Name(), "matmul-tune-test-") {
				c.Files = append(c.Files, filepath.Join(d, e.Name()))
			}
		}
	}
	for _, s := range [][]string{c.Descriptors, c.Children, c.Maps, c.Segments, c.Files} {
		slices.Sort(s)
	}
	return c
}

// children returns the processes that this one has started and not reaped.
func children() (pids []int) {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if parent, _ := kin(pid); parent == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// isChild reports whether a process was started by this one, and lives.
func isChild(pid int) bool {
	parent, state := kin(pid)
	return parent == os.Getpid() && state != "Z" && state != "X"
}

// kin returns the parent of a process and its state; 0 if there is none.
func kin(pid int) (parent int, state string) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "" // it ended meanwhile
	}
	fmt.Sscan(string(b[bytes.LastIndexByte(b, ')')+1:]), &state, &parent)
	return parent, state
}

// unchanged fails the test unless everything is as before.
func (c census) unchanged(t *testing.T, dir string) {
	t.Helper()
	now := take(dir)
	for _, l := range []struct {
		what    string
		was, is []string
	}{
		{"descriptors", c.Descriptors, now.Descriptors}, {"children", c.Children, now.Children}, {"maps", c.Maps, now.Maps},
		{"System V segments", c.Segments, now.Segments}, {"files", c.Files, now.Files},
	} {
		if !slices.Equal(l.was, l.is) {
			t.Errorf("%s were %q and are %q", l.what, l.was, l.is)
		}
	}
}

// describe says what a pool's workers, and every goroutine here, were doing.
func describe(pool *master.Pool) string {
	var b strings.Builder
	for i, pid := range pool.Pids() {
		dir := fmt.Sprintf("/proc/%d/", pid)
		a, ok := pool.Board().Activity(i)
		fmt.Fprintf(&b, "worker %d, process %d: activity %+v %v, wchan %s, syscall %s, stat %s\n", i, pid, a, ok,
			content(dir+"wchan"), content(dir+"syscall"), content(dir+"stat"))
	}
	stacks := make([]byte, 1<<20)
	b.Write(stacks[:runtime.Stack(stacks, true)])
	return b.String()
}

func content(name string) string {
	b, _ := os.ReadFile(name)
	return strings.TrimSpace(string(b))
}

// eventually waits until complaint returns "", and fails with what it says last
// if it does not: what takes so long hangs.
func eventually(t *testing.T, complaint func() string) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		what := complaint()
		if what == "" {
			return
		}
		if time.Since(begin) > time.Minute {
			t.Fatal(what)
		}
	}
}
