package sys

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// onOwnThread runs f on a thread that ends with it: what it changes of the
// thread stays with it.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// TryPinning reports, as nil or the system's error, whether threads can be bound
// to processors.
func TryPinning() error {
	return onOwnThread(func() error {
		cpus, err := Affinity(0)
		if err != nil {
			return err
		}
		return SetAffinity(0, cpus[:1])
	})
}

// TryBatch reports whether threads can be given the policy SCHED_BATCH; see
// [CalmMonitor].
func TryBatch() error {
	return onOwnThread(func() error {
		return setScheduling(func(a *unix.SchedAttr) { a.Policy = unix.SCHED_BATCH })
	})
}

// TryTimerSlack reports whether timer slack can be given to threads that run
// already; see [CalmMonitor], which has done so if it can be.
func TryTimerSlack() error {
	tid, ok := monitor()
	if !ok {
		return errors.New("/proc does not show this process's threads")
	}
	return setTimerSlack(tid, TimerSlack)
}

// TrySlice reports whether the scheduler gives threads time slices as they ask
// for; see [SetSlice].
func TrySlice() error {
	return onOwnThread(func() error {
		const want = uint64(200 * time.Microsecond)
		if err := setScheduling(func(a *unix.SchedAttr) { a.Runtime = want }); err != nil {
			return err
		}
		attr, err := unix.SchedGetAttr(0, 0)
		if err == nil && attr.Runtime != want {
			err = errors.New("the kernel takes no notice, as before Linux 6.12")
		}
		return err
	})
}

func setScheduling(change func(*unix.SchedAttr)) error {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return fmt.Errorf("sched_getattr: %w", err)
	}
	change(attr)
	if err := unix.SchedSetAttr(0, attr, 0); err != nil {
		return fmt.Errorf("sched_setattr: %w", err)
	}
	return nil
}

// TryHuge reports whether memory that processes share can be backed by huge
// pages; see [Range.Collapse].
func TryHuge() error {
	f, err := Memfd("try")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(HugePageSize); err != nil {
		return err
	}
	r, err := Reserve(HugePageSize)
	if err != nil {
		return err
	}
	defer r.Release()
	if err := r.MapFile(f.Fd(), 0, HugePageSize, true); err != nil {
		return err
	}
	if err := r.Populate(0, 1, true); err != nil {
		return err
	}
	return r.Collapse(0, HugePageSize)
}

// TryUnnamed reports whether files without a name can be made in a directory,
// and named later.
func TryUnnamed(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	fd, err := OpenUnnamed(int(d.Fd()))
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !CanLinkUnnamed(fd) {
		return errors.New("/proc does not show this process's descriptors")
	}
	return nil
}
