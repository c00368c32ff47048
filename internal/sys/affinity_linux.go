package sys

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Unlimited stands for a resource limit that is not set.
const Unlimited = math.MaxInt64

// MaxProcessors bounds the number of a logical processor: the most that Linux
// can be built for (CONFIG_NR_CPUS) on the processors we know.
const MaxProcessors = 8192

// A cpuMask has one bit per logical processor, in words as the kernel has them.
// It is larger than unix.CPUSet, whose 1024 bits sched_getaffinity(2) refuses
// with EINVAL where the kernel's own mask is longer.
type cpuMask [MaxProcessors / bits.UintSize]uint

// Affinity returns, ascending, the logical processors that thread tid may run
// on. A process id names its first thread; 0 is the calling thread, which in Go
// may be any.
func Affinity(tid int) ([]int, error) {
	var mask cpuMask
	if err := schedGetaffinity(tid, &mask); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	return mask.list(), nil
}

// ProcessAffinity returns, ascending, the logical processors that any thread of
// this process may run on. No single thread can stand for the process: the
// first may carry a goroutine that pinned it, while the threads of the runtime
// keep the mask that the process was started with.
func ProcessAffinity() ([]int, error) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return Affinity(os.Getpid())
	}
	var all cpuMask
	for _, thread := range threads {
		var mask cpuMask
		tid, err := strconv.Atoi(thread.Name())
		if err != nil || schedGetaffinity(tid, &mask) != nil {
			continue // it ended meanwhile
		}
		for i, word := range mask {
			all[i] |= word
		}
	}
	return all.list(), nil
}

// SetAffinity lets thread tid (0: the calling one, which should be locked to
// its goroutine) run on cpus alone. Threads that it starts later inherit this.
// Without any processor that is online and allowed by the cpuset it is EINVAL.
func SetAffinity(tid int, cpus []int) error {
	var mask cpuMask
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= MaxProcessors {
			return fmt.Errorf("sched_setaffinity: processor %d: %w", cpu, unix.EINVAL)
		}
		mask[cpu/bits.UintSize] |= 1 << (cpu % bits.UintSize)
	}
	if err := schedSetaffinity(tid, &mask); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return nil
}

func (m *cpuMask) list() []int {
	var cpus []int
	for i, word := range m {
		for ; word != 0; word &= word - 1 {
			cpus = append(cpus, i*bits.UintSize+bits.TrailingZeros(word))
		}
	}
	return cpus
}

// AddressSpaceLimit returns the soft limit of this process's address space in
// bytes (RLIMIT_AS of getrlimit(2)), or [Unlimited].
func AddressSpaceLimit() (int64, error) { return softLimit("AS", unix.RLIMIT_AS) }

// FileSizeLimit returns the soft limit of a file's size in bytes (RLIMIT_FSIZE),
// or [Unlimited].
func FileSizeLimit() (int64, error) { return softLimit("FSIZE", unix.RLIMIT_FSIZE) }

func softLimit(name string, resource int) (int64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(resource, &limit); err != nil {
		return 0, fmt.Errorf("getrlimit(%s): %w", name, err)
	}
	return clampInt64(limit.Cur), nil
}

// RAM returns the machine's memory and its unused part in bytes, as sysinfo(2)
// counts them: file cache that could be reclaimed counts as used.
func RAM() (total, free int64, err error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, 0, fmt.Errorf("sysinfo: %w", err)
	}
	unit := uint64(info.Unit)
	return clampInt64(uint64(info.Totalram) * unit), clampInt64(uint64(info.Freeram) * unit), nil
}

// FreeSpace returns the bytes that an unprivileged process may still write to
// the file system of path, or [Unlimited] for one without a bound, such as a
// tmpfs mounted with size=0, which counts no blocks.
func FreeSpace(path string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", path, err)
	}
	return free(&fs), nil
}

func free(fs *unix.Statfs_t) int64 {
	if fs.Blocks == 0 || fs.Bsize <= 0 || fs.Bavail > uint64(math.MaxInt64/fs.Bsize) {
		return Unlimited
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}

// FileSystem is the file system that a path lies in, as far as its space is
// concerned.
type FileSystem struct {
	ID       uint64 // tells it from others on this machine
	InMemory bool   // its files take memory, not disk
	Free     int64  // bytes that may still be written, or Unlimited
}

// FileSystemOf returns the file system of path.
func FileSystemOf(path string) (f FileSystem, err error) {
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := unix.Stat(path, &st); err != nil {
		return f, fmt.Errorf("stat %s: %w", path, err)
	}
	if err := unix.Statfs(path, &fs); err != nil {
		return f, fmt.Errorf("statfs %s: %w", path, err)
	}
	f.ID, f.Free = uint64(st.Dev), free(&fs)
	f.InMemory = fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
	return f, nil
}

// clampInt64 turns what does not fit, RLIM_INFINITY among it, into Unlimited.
func clampInt64(v uint64) int64 {
	if v > math.MaxInt64 {
		return Unlimited
	}
	return int64(v)
}
