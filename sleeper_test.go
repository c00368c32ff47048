//go:build linux

package matmul_test

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"matmul/internal/sys"
	"matmul/shmmat"
)

// sleeperMark is the variable that turns the test's process into a bare
// sleeper; its value is the processor to sleep on.
const sleeperMark = "MATMUL_TEST_SLEEPER"

// sleeperSegment is the one that a sleeper and its waker share.
func sleeperLayout() shmmat.Layout {
	l, err := shmmat.NewLayout(shmmat.Lengths{shmmat.Control: 4096})
	if err != nil {
		panic(err)
	}
	return l
}

// A sleeper is a process that does nothing but sleep on a futex and note when
// it woke: what the system takes for a hand-over, without a mailbox.
type sleeper struct{ words *sleeperWords }

// newSleeper starts a sleeper on a processor.
func newSleeper(b *testing.B, cpu int) sleeper {
	seg, err := shmmat.Create(shmmat.Memfd, sleeperLayout(), "")
	if err != nil {
		b.Fatal(err)
	}
	view, err := seg.Map(shmmat.All(true))
	if err != nil {
		b.Fatal(err)
	}
	_, file := seg.Handle()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), sleeperMark+"="+strconv.Itoa(cpu), "GOMAXPROCS=1", "GOGC=off")
	cmd.ExtraFiles = []*os.File{file}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		view.Close()
		seg.Close()
	})
	return sleeper{wordsIn(view.Bytes(shmmat.Control))}
}

// wake wakes the sleeper and returns how long it took, by its own clock.
func (s sleeper) wake() time.Duration {
	calls := s.words.calls.Load() + 1
	start := sys.Monotonic()
	s.words.calls.Store(calls)
	sys.FutexWake(&s.words.calls)
	for s.words.heard.Load() != calls {
	}
	return time.Duration(s.words.begun.Load() - start)
}

// sleepIfTold does not return if this process is to be a sleeper.
func sleepIfTold() {
	cpu, err := strconv.Atoi(os.Getenv(sleeperMark))
	if err != nil {
		return
	}
	runtime.LockOSThread()
	seg, err := shmmat.Attach(shmmat.Handle{Kind: shmmat.Memfd, Size: sleeperLayout().Size}, os.NewFile(3, "segment"))
	if err == nil {
		err = sys.SetAffinity(0, []int{cpu})
	}
	if err != nil {
		os.Exit(1)
	}
	view, err := seg.Map(shmmat.All(true))
	if err != nil {
		os.Exit(1)
	}
	sleepOn(wordsIn(view.Bytes(shmmat.Control)))
}

// sleepOn sleeps and wakes until the process that started this one is gone.
func sleepOn(w *sleeperWords) {
	for parent, heard := os.Getppid(), uint32(0); os.Getppid() == parent; {
		sys.FutexWaitRaw(&w.calls, heard, time.Second)
		for heard != w.calls.Load() {
			heard++
			w.begun.Store(sys.Monotonic())
			w.heard.Store(heard)
		}
	}
	os.Exit(0)
}
