package tune

import (
	"math"
	"os"
	"path/filepath"
	"slices"

	"matmul/internal/sys"
)

// maxBytes is the largest number of bytes that is believed; sums of a few of
// them cannot overflow.
const maxBytes = 1 << 60

// Limits are what this process may use of a [Machine], each with its source.
type Limits struct {
	// Affinity are the logical processors that the process may run on,
	// ascending; at least one. The kernel has applied the cpuset to it.
	Affinity []int `json:"affinity"`
	// CPULimits are the limits of processor time.
	CPULimits []CPULimit `json:"cpu"`
	// MemoryLimits are the limits of memory and address space. The least of what they leave counts.
	MemoryLimits []MemoryLimit `json:"memory"`
	// SharedMemory is what /dev/shm has free, in bytes, -1 if unknown and
	// math.MaxInt64 if unbounded. It binds segments of kind posix alone.
	SharedMemory int64 `json:"dev_shm_free_bytes"`
	// FileSize is RLIMIT_FSIZE, the size in bytes that no file may exceed,
	// shared memory of kinds memfd and posix among them; math.MaxInt64 if there
	// is no limit.
	FileSize int64 `json:"file_size_bytes"`
	// Advice is what is wrong with the way in which Slurm started this process,
	// so that it may use less than the job has; "" if nothing is.
	Advice string `json:"advice,omitempty"`
	// Warnings tell which files or variables made no sense and were ignored.
	Warnings []string `json:"warnings,omitempty"`
}

// A CPULimit bounds the processors that may be busy at a time, on average.
type CPULimit struct {
	Source string  `json:"source"`
	CPUs   float64 `json:"cpus"`
}

// A MemoryLimit bounds memory or address space, in bytes.
type MemoryLimit struct {
	Source string `json:"source"`
	Limit  int64  `json:"limit_bytes"`
	// Used is the part of Limit that is taken, by whomever it counts for, and
	// cannot be had back: file cache that the kernel drops on demand is not in
	// it.
	Used int64 `json:"used_bytes"`
}

// Free returns what the limit leaves, never less than 0.
func (l MemoryLimit) Free() int64 { return max(0, l.Limit-l.Used) }

// Limits reads what this process may use of the machine now. It never fails:
// what is malformed is ignored with a warning.
func (s System) Limits(m *Machine) *Limits {
	t := &tree{root: s.Root}
	l := &Limits{Affinity: s.affinity(t), SharedMemory: s.sharedMemory(t), FileSize: s.fileSize(t)}
	if len(l.Affinity) == 0 {
		l.Affinity = m.CPUs
	}
	groups := t.cgroups()
	l.CPULimits = slices.Concat([]CPULimit{}, groups.cpuLimits(t), s.slurmCPUs(t))
	l.MemoryLimits = s.memoryLimits(t, m, groups)
	l.Advice = s.slurmAdvice(t, l)
	l.Warnings = t.said()
	return l
}

// memoryLimits lists the limits of memory from the machine inwards.
func (s System) memoryLimits(t *tree, m *Machine, groups cgroups) []MemoryLimit {
	info := t.meminfo("/proc/meminfo")
	limits := []MemoryLimit{s.available(t, info)}
	limits = append(limits, t.commitLimit(info)...)
	limits = append(limits, t.nodeLimit(m)...)
	limits = append(limits, groups.memoryLimits(t)...)
	limits = append(limits, s.slurmMemory(t)...)
	return append(limits, s.addressSpace(t)...)
}

func (s System) sharedMemory(t *tree) int64 {
	if s.SharedMemory == nil {
		return -1
	}
	free, err := s.SharedMemory()
	if err != nil {
		t.warn("the free space of /dev/shm is unknown: %v", err)
		return -1
	}
	return free
}

func (s System) fileSize(t *tree) int64 {
	if s.FileSize == nil {
		return sys.Unlimited
	}
	limit, err := s.FileSize()
	if err != nil {
		t.warn("RLIMIT_FSIZE is unknown: %v", err)
		return sys.Unlimited
	}
	return limit
}

// addressSpaceSource is the limit that binds each process for itself.
const addressSpaceSource = "RLIMIT_AS (ulimit -v)"

// PerProcess reports whether the limit binds each process for itself, and the
// address space that it maps, not the memory of all together.
func (l MemoryLimit) PerProcess() bool { return l.Source == addressSpaceSource }

// addressSpace is RLIMIT_AS less what this process has mapped. It binds each
// process for itself.
func (s System) addressSpace(t *tree) []MemoryLimit {
	if s.AddressSpace == nil {
		return nil
	}
	limit, err := s.AddressSpace()
	if err != nil {
		t.warn("RLIMIT_AS is unknown: %v", err)
		return nil
	}
	if limit >= maxBytes {
		return nil
	}
	used := t.meminfo("/proc/self/status")["VmSize"]
	return []MemoryLimit{{addressSpaceSource, max(0, limit), used}}
}

// exists reports whether anything is at name.
func (t *tree) exists(name string) bool {
	_, err := os.Stat(filepath.Join(t.root, name))
	return err == nil
}

// addClamped adds two non-negative numbers of bytes.
func addClamped(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return sys.Unlimited
	}
	return a + b
}
