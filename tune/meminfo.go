package tune

import (
	"fmt"
	"strconv"
	"strings"
)

// defaultMemory is what is taken to be free where nothing tells: enough for a
// product of order 6000.
const defaultMemory = 1 << 30

// available is the memory that the machine can give without swapping:
// MemAvailable of proc_meminfo(5).
func (s System) available(t *tree, info map[string]int64) MemoryLimit {
	total, hasTotal := info["MemTotal"]
	free, hasFree := info["MemAvailable"]
	if hasTotal && hasFree && free <= total {
		return MemoryLimit{"/proc/meminfo MemAvailable", total, total - free}
	}
	if s.RAM != nil {
		if total, free, err := s.RAM(); err == nil && total > 0 {
			t.warn("/proc/meminfo does not tell MemAvailable: file cache counts as used")
			return MemoryLimit{"sysinfo(2)", total, max(0, total-free)}
		}
	}
	t.warn("the memory of the machine is unknown: taking %s", FormatBytes(defaultMemory))
	return MemoryLimit{"default", defaultMemory, 0}
}

// commitLimit is what a machine that never overcommits will still promise, and
// shared memory counts for it in full: Documentation/mm/overcommit-accounting.
func (t *tree) commitLimit(info map[string]int64) []MemoryLimit {
	if mode, ok := t.number("/proc/sys/vm/overcommit_memory", 0, 2); !ok || mode != 2 {
		return nil
	}
	limit, ok := info["CommitLimit"]
	if !ok {
		return nil
	}
	return []MemoryLimit{{"/proc/meminfo CommitLimit (vm.overcommit_memory=2)", limit, info["Committed_AS"]}}
}

// nodeLimit is the memory of the NUMA nodes that the cpuset allows, where it
// does not allow all: MemAvailable speaks of the whole machine.
func (t *tree) nodeLimit(m *Machine) []MemoryLimit {
	allowed := t.memsAllowed()
	var limit, free int64
	var others bool
	for _, node := range m.Nodes {
		if node.Memory == 0 {
			continue
		}
		if len(within([]int{node.ID}, allowed)) == 0 {
			others = true
			continue
		}
		info := t.meminfo(fmt.Sprintf("%s/node%d/meminfo", nodeDir, node.ID))
		limit = addClamped(limit, info["MemTotal"])
		cache := addClamped(info["Active(file)"], info["Inactive(file)"])
		free = addClamped(free, addClamped(info["MemFree"], cache))
	}
	if limit == 0 || !others {
		return nil
	}
	source := "NUMA nodes " + FormatCPUs(allowed) + " (Mems_allowed_list)"
	return []MemoryLimit{{source, limit, max(0, limit-free)}}
}

// memsAllowed returns the NUMA nodes that this process may take memory from:
// Mems_allowed_list of proc_pid_status(5).
func (t *tree) memsAllowed() []int {
	for _, pair := range t.fields("/proc/self/status") {
		if pair[0] == "Mems_allowed_list" {
			nodes, _ := t.parseCPUs("/proc/self/status", pair[1])
			return nodes
		}
	}
	return nil
}

// meminfo reads a table of lines like "MemTotal:  16384 kB", also with "Node 0"
// before them, into bytes. A line that is anything else is skipped.
func (t *tree) meminfo(name string) map[string]int64 {
	values := make(map[string]int64)
	for _, pair := range t.fields(name) {
		words, amount := strings.Fields(pair[0]), strings.Fields(pair[1])
		if len(words) == 0 || len(amount) != 2 || amount[1] != "kB" {
			continue
		}
		key := words[len(words)-1]
		kib, err := strconv.ParseInt(amount[0], 10, 64)
		if err != nil || kib < 0 || kib > maxBytes>>10 {
			t.warn("%s says %s kB for %s: ignored", name, quote(amount[0]), quote(key))
			continue
		}
		values[key] = kib << 10
	}
	return values
}
