package sys

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMonotonicIsTheSystemsClock(t *testing.T) {
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
		t.Fatal(err)
	}
	got := Monotonic()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &after); err != nil {
		t.Fatal(err)
	}
	// What the tie may be wrong by, had the process been interrupted in each of
	// its readings.
	const slack = 1e9
	if got < before.Nano()-slack || got > after.Nano()+slack {
		t.Errorf("Monotonic is %d, the system's clock was %d before and %d after", got, before.Nano(), after.Nano())
	}
}

func TestProcessorTimeGrowsWithWork(t *testing.T) {
	before, err := ProcessorTime(0)
	if err != nil {
		t.Fatal(err)
	}
	for now := before; now == before; {
		if now, err = ProcessorTime(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ProcessorTime(1 << 23); err == nil { // above the kernel's limit
		t.Error("a process that there cannot be has had processor time")
	}
}
