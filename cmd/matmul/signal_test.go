package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestSignalsEndTheRunAndLeaveNothing interrupts runs at random moments, as a
// shell does (the whole process group) and as kill does (the master alone).
func TestSignalsEndTheRunAndLeaveNothing(t *testing.T) {
	runs := 3
	if campaign {
		runs = 100
	}
	dir := operands(t, 700)
	ended := 0
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, group := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/group=%v", sig, group), func(t *testing.T) {
				for range runs {
					if interrupt(t, dir, sig, group) {
						ended++
					}
				}
			})
		}
	}
	if ended < 3*runs {
		t.Errorf("only %d of %d runs were interrupted: this shows little", ended, 6*runs)
	}
}

// interrupt starts a run and ends it by a signal. It returns false if the run
// was faster.
func interrupt(t *testing.T, dir string, sig syscall.Signal, group bool) bool {
	t.Helper()
	verify := []string{"none", "exact"}[rand.IntN(2)]
	segment := []string{"memfd", "posix", "sysv", "file"}[rand.IntN(4)]
	r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "3", "--verify", verify, "--segment", segment,
		"--isa", "generic") // others are done before most of the signals come
	awaitWorkers(r, 1) // before, it may not handle signals yet, and the system ends it
	moment(100 * time.Millisecond)
	pid := r.pid()
	if group {
		pid = -pid
	}
	syscall.Kill(pid, sig)
	code := r.wait()
	if code == 0 {
		r.left(time.Second, "c.npy")
		os.Remove(filepath.Join(dir, "c.npy"))
		return false
	}
	if want := 128 + int(sig); code != want {
		t.Errorf("exit status %d, want %d: %s", code, want, r.stderr.String())
	}
	if want := fmt.Sprintf("matmul: ended by signal: %v\n", sig); r.stderr.String() != want {
		t.Errorf("standard error is %q, want %q", r.stderr.String(), want)
	}
	r.left(time.Second)
	return true
}

// TestASecondSignalEndsAtOnce stops the workers, so that a job cannot end in
// an orderly way.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	dir := operands(t, 1500)
	r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "2", "--isa", "generic")
	awaitWorkers(r, 2)
	moment(50 * time.Millisecond)
	for _, pid := range children(r.pid()) {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	begin := time.Now()
	eventually(t, testPatience, func() string {
		syscall.Kill(r.pid(), syscall.SIGINT)
		if len(r.ended) == 0 {
			return "the command goes on:\n"
		}
		return ""
	})
	if code := r.wait(); code != 128+int(syscall.SIGINT) {
		t.Errorf("exit status %d, want 130", code)
	}
	t.Logf("ended after %v", time.Since(begin))
	r.left(time.Second)
}

// TestIgnoredSignalsStayIgnored: nohup means what it says.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	dir := operands(t, 300)
	signal.Ignore(syscall.SIGHUP) // as nohup does; the command inherits it
	defer signal.Reset(syscall.SIGHUP)
	r := start(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--verify", "exact", "--isa", "generic")
	for len(r.ended) == 0 {
		syscall.Kill(r.pid(), syscall.SIGHUP)
		time.Sleep(time.Millisecond)
	}
	if code := r.wait(); code != 0 {
		t.Errorf("exit status %d: %s", code, r.stderr.String())
	}
}
