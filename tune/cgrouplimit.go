package tune

import (
	"strconv"
	"strings"
)

// noLimit is where cgroup v1's numbers mean that there is none: it writes the
// largest multiple of the page size.
const noLimit = maxBytes

// cpuLimits returns every limit of processor time.
func (g cgroups) cpuLimits(t *tree) []CPULimit {
	var limits []CPULimit
	for _, dir := range g.v2 {
		if cpus, ok := t.cpuMax(dir + "/cpu.max"); ok {
			limits = append(limits, CPULimit{"cgroup " + dir + "/cpu.max", cpus})
		}
	}
	for _, dir := range g.cpu {
		if cpus, ok := t.cfsQuota(dir); ok {
			limits = append(limits, CPULimit{"cgroup " + dir + "/cpu.cfs_quota_us", cpus})
		}
	}
	return limits
}

// cpuMax reads "QUOTA PERIOD" in microseconds, where QUOTA may be "max":
// Documentation/admin-guide/cgroup-v2.rst.
func (t *tree) cpuMax(name string) (cpus float64, ok bool) {
	s, ok := t.text(name)
	if !ok {
		return 0, false
	}
	fields := strings.Fields(s)
	if fields[0] == "max" {
		return 0, false
	}
	const usualPeriod = 100_000
	quota, err := strconv.ParseInt(fields[0], 10, 64)
	period := int64(usualPeriod)
	if err == nil && len(fields) > 1 {
		period, err = strconv.ParseInt(fields[1], 10, 64)
	}
	if err != nil || quota <= 0 || period <= 0 {
		t.warn("%s says %s: ignored", name, quote(s))
		return 0, false
	}
	return float64(quota) / float64(period), true
}

// cfsQuota reads the quota and period of cgroup v1, where -1 is no limit:
// Documentation/scheduler/sched-bwc.rst.
func (t *tree) cfsQuota(dir string) (cpus float64, ok bool) {
	const day = 86_400_000_000
	quota, ok := t.number(dir+"/cpu.cfs_quota_us", -1, maxBytes)
	if !ok || quota <= 0 {
		return 0, false
	}
	period, ok := t.number(dir+"/cpu.cfs_period_us", 1, day)
	if !ok {
		return 0, false
	}
	return float64(quota) / float64(period), true
}

// memoryLimits returns every limit of memory with what is used of it. A group's
// usage counts all its descendants, so that what a parent has left may be less
// than what its child has.
func (g cgroups) memoryLimits(t *tree) []MemoryLimit {
	var limits []MemoryLimit
	for _, dir := range g.v2 {
		// Above high the kernel does not kill, but throttles and reclaims until
		// nothing else gets done: a limit, too.
		for _, file := range []string{"/memory.max", "/memory.high"} {
			if limit, ok := t.memoryMax(dir + file); ok {
				used := t.groupUse(dir, "/memory.current", "inactive_file")
				limits = append(limits, MemoryLimit{"cgroup " + dir + file, limit, used})
			}
		}
	}
	return append(limits, g.memoryLimitsV1(t)...)
}

// memoryLimitsV1 is memoryLimits for cgroup v1: kernel's
// Documentation/admin-guide/cgroup-v1/memory.rst.
func (g cgroups) memoryLimitsV1(t *tree) []MemoryLimit {
	var limits []MemoryLimit
	least := int64(noLimit)
	for i, dir := range g.memory {
		// Without use_hierarchy a group does not limit its children.
		if hierarchy, ok := t.number(dir+"/memory.use_hierarchy", 0, 1); i > 0 && ok && hierarchy == 0 {
			continue
		}
		limit, ok := t.number(dir+"/memory.limit_in_bytes", 0, 1<<63-1)
		if !ok || limit >= noLimit {
			continue
		}
		least = min(least, limit)
		used := t.groupUse(dir, "/memory.usage_in_bytes", "total_inactive_file")
		limits = append(limits, MemoryLimit{"cgroup " + dir + "/memory.limit_in_bytes", limit, used})
	}
	return append(limits, g.hiddenLimit(t, least)...)
}

// hiddenLimit is a limit of an ancestor that is not visible in a container:
// cgroup v1 tells the least of all as hierarchical_memory_limit. What else is
// used of it cannot be known; what this group uses is counted.
func (g cgroups) hiddenLimit(t *tree, least int64) []MemoryLimit {
	if len(g.memory) == 0 {
		return nil
	}
	dir := g.memory[0]
	limit, ok := t.memoryStat(dir)["hierarchical_memory_limit"]
	if !ok || limit >= least {
		return nil
	}
	used := t.groupUse(dir, "/memory.usage_in_bytes", "total_inactive_file")
	return []MemoryLimit{{"cgroup " + dir + "/memory.stat hierarchical_memory_limit", limit, used}}
}

// memoryMax reads a number of bytes or "max".
func (t *tree) memoryMax(name string) (int64, bool) {
	s, ok := t.text(name)
	if !ok || s == "max" {
		return 0, false
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 {
		t.warn("%s says %s: ignored", name, quote(s))
		return 0, false
	}
	return v, v < noLimit
}

// groupUse returns what a group uses, less the file cache that was not touched
// lately: the kernel drops that before it kills anything.
func (t *tree) groupUse(dir, file, cache string) int64 {
	used, _ := t.number(dir+file, 0, 1<<63-1)
	return max(0, used-t.memoryStat(dir)[cache])
}

// memoryStat reads a group's table of "KEY BYTES" lines.
func (t *tree) memoryStat(dir string) map[string]int64 {
	stat := make(map[string]int64)
	text, ok := t.text(dir + "/memory.stat")
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		if v, err := strconv.ParseInt(fields[1], 10, 64); err == nil && v >= 0 {
			stat[fields[0]] = v
		}
	}
	if ok && len(stat) == 0 {
		t.warn("%s/memory.stat has no line \"key bytes\": ignored", dir)
	}
	return stat
}
