package sys

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAffinityIsWhatTheRuntimeCounts(t *testing.T) {
	cpus, err := ProcessAffinity()
	if err != nil {
		t.Fatal(err)
	}
	if len(cpus) != runtime.NumCPU() || !slices.IsSorted(cpus) {
		t.Errorf("processors %v, the runtime counts %d", cpus, runtime.NumCPU())
	}
}

func TestAThreadIsPinnedAndReadBack(t *testing.T) {
	cpus, err := ProcessAffinity()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: this thread, which may be the first, stays pinned
		last := cpus[len(cpus)-1:]
		if err := SetAffinity(0, last); err != nil {
			t.Error(err)
		}
		if got, err := Affinity(0); err != nil || !slices.Equal(got, last) {
			t.Errorf("pinned to %v, read back %v, %v", last, got, err)
		}
	}()
	<-done
	if after, _ := ProcessAffinity(); !slices.Equal(after, cpus) {
		t.Errorf("the process went from %v to %v", cpus, after)
	}
}

func TestPinningToNoProcessorFails(t *testing.T) {
	for _, cpus := range [][]int{nil, {-1}, {MaxProcessors}} {
		if err := SetAffinity(0, cpus); !errors.Is(err, unix.EINVAL) {
			t.Errorf("pinned to %v: %v", cpus, err)
		}
	}
}

func TestMemoryAndSpaceArePlausible(t *testing.T) {
	total, free, err := RAM()
	if err != nil || total <= 0 || free < 0 || free > total {
		t.Errorf("RAM %d, free %d, %v", total, free, err)
	}
	if limit, err := AddressSpaceLimit(); err != nil || limit <= 0 {
		t.Errorf("address space %d, %v", limit, err)
	}
	if space, err := FreeSpace(t.TempDir()); err != nil || space < 0 {
		t.Errorf("free space %d, %v", space, err)
	}
	if _, err := FreeSpace("/nowhere/at/all"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("free space of nowhere: %v", err)
	}
}
