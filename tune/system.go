package tune

import (
	"os"

	"github.com/klauspost/cpuid/v2"

	"matmul/internal/sys"
)

// A System is where detection reads: the files of /sys and /proc, the
// environment, and what only the processor and the kernel can tell. Tests put a
// recorded machine in its place. A nil function is a question that this system
// does not answer.
type System struct {
	// Root is put before /sys and /proc; empty on a real machine.
	Root string
	// Getenv returns a variable of the environment, "" if it is not set.
	Getenv func(key string) string
	// Affinity returns the logical processors that the process may run on,
	// ascending.
	Affinity func() ([]int, error)
	// CPUID returns what the processor says of itself.
	CPUID func() CPUID
	// AddressSpace returns RLIMIT_AS in bytes, or math.MaxInt64.
	AddressSpace func() (int64, error)
	// FileSize returns RLIMIT_FSIZE in bytes, or math.MaxInt64.
	FileSize func() (int64, error)
	// RAM returns the machine's memory and its unused part, in bytes. It is
	// asked only where /proc/meminfo tells nothing.
	RAM func() (total, free int64, err error)
	// SharedMemory returns the free bytes of /dev/shm, or math.MaxInt64.
	SharedMemory func() (int64, error)
	// Caches are sizes that count instead of those found (--l1, --l2, --l3).
	Caches CacheSizes
}

// CPUID is what a processor says of itself, without help from the kernel. What
// is not known is zero.
type CPUID struct {
	Brand          string // marketing name
	Line           int    // bytes of a cache line
	L1d, L1i       int64  // bytes per core
	L2, L3         int64  // bytes per instance
	ThreadsPerCore int
}

// Host returns the machine that this process runs on.
func Host() System {
	return System{
		Getenv:       os.Getenv,
		Affinity:     sys.ProcessAffinity,
		CPUID:        hostCPUID,
		AddressSpace: sys.AddressSpaceLimit,
		FileSize:     sys.FileSizeLimit,
		RAM:          sys.RAM,
		SharedMemory: func() (int64, error) { return sys.FreeSpace("/dev/shm") },
	}
}

// hostCPUID translates what package cpuid found; it says -1 for unknown.
func hostCPUID() CPUID {
	c := &cpuid.CPU
	return CPUID{
		Brand:          c.BrandName,
		Line:           c.CacheLine,
		L1d:            known(c.Cache.L1D),
		L1i:            known(c.Cache.L1I),
		L2:             known(c.Cache.L2),
		L3:             known(c.Cache.L3),
		ThreadsPerCore: c.ThreadsPerCore,
	}
}

func known(v int) int64 { return int64(max(v, 0)) }

// Detect reads the machine and what of it this process may use. It takes a
// fraction of a millisecond per processor; limits change while a job runs, so
// that a long-lived caller reads those again by [System.Limits].
func (s System) Detect() (*Machine, *Limits) {
	m := s.Machine()
	return m, s.Limits(m)
}

func (s System) getenv(key string) string {
	if s.Getenv == nil {
		return ""
	}
	return s.Getenv(key)
}

func (s System) cpuid() CPUID {
	if s.CPUID == nil {
		return CPUID{}
	}
	return s.CPUID()
}

// affinity returns nil where the mask cannot be read.
func (s System) affinity(t *tree) []int {
	if s.Affinity == nil {
		return nil
	}
	cpus, err := s.Affinity()
	if err != nil {
		t.warn("the affinity mask is unknown: %v", err)
		return nil
	}
	return cpus
}
