package tune

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Types of cache, in the kernel's words.
const (
	Data        = "Data"
	Instruction = "Instruction"
	Unified     = "Unified"
)

// A Cache is one physical cache.
type Cache struct {
	Level int    `json:"level"`
	Type  string `json:"type"` // Data, Instruction or Unified
	// Size is its capacity in bytes.
	Size int64 `json:"size_bytes"`
	// Ways is its associativity, 0 if unknown.
	Ways int `json:"ways"`
	// Line is the length of a line in bytes.
	Line int `json:"line_bytes"`
	// CPUs are the logical processors that share it, ascending.
	CPUs []int `json:"cpus"`
	// Source tells where the size comes from: "sysfs", "cpuid", "processor
	// name", "default" or "option".
	Source string `json:"source"`
}

// holdsData reports whether matrices can live in the cache.
func (c *Cache) holdsData() bool { return c.Type != Instruction }

// Bounds of what a description is believed. The largest caches built so far are
// POWER's and Zen's (hundreds of MiB); a line is 32 to 256 bytes everywhere.
const (
	maxIndex     = 8
	maxLevel     = 4
	minCacheSize = 1 << 10
	maxCacheSize = 64 << 30
	maxWays      = 1 << 20 // fully associative ones count every line
)

// usual is what the directories index0, index1, ... describe nearly everywhere.
var usual = [...]struct {
	level int64
	kind  string
}{{1, Data}, {1, Instruction}, {2, Unified}, {3, Unified}, {4, Unified}}

// caches reads all caches. Sizes that the kernel does not tell are zero: see
// [tree.fill].
func (t *tree) caches(m *Machine, id CPUID) []Cache {
	topo := newTopology(m)
	var caches []Cache
	var covered [maxIndex]map[int]bool // by directory: processors whose cache is known
	for k := range covered {
		covered[k] = make(map[int]bool)
	}
	for _, cpu := range m.CPUs {
		for k := range maxIndex {
			if covered[k][cpu] {
				continue
			}
			c, ok := t.cache(topo, cpu, k)
			if !ok {
				continue
			}
			for _, sharer := range c.CPUs {
				covered[k][sharer] = true
			}
			caches = append(caches, c)
		}
	}
	caches = t.fill(topo, id, caches)
	slices.SortFunc(caches, func(a, b Cache) int {
		return cmp.Or(a.Level-b.Level, strings.Compare(a.Type, b.Type), a.CPUs[0]-b.CPUs[0])
	})
	return caches
}

// cache reads one directory, cpuN/cache/indexK. A value that makes no sense is
// replaced by what is usual; a directory without a level does not exist, unless
// it has a size.
func (t *tree) cache(topo *topology, cpu, k int) (Cache, bool) {
	dir := fmt.Sprintf("%s/cpu%d/cache/index%d", cpuDir, cpu, k)
	level, ok := t.number(dir+"/level", 1, maxLevel)
	if !ok {
		if !t.exists(dir) || k >= len(usual) {
			return Cache{}, false
		}
		level = usual[k].level
	}
	c := Cache{Level: int(level), Type: t.cacheType(dir+"/type", k), Source: "sysfs"}
	c.CPUs = t.sharers(dir+"/shared_cpu_list", topo, cpu, c.Level)
	line, _ := t.number(dir+"/coherency_line_size", 8, 4096)
	ways, _ := t.number(dir+"/ways_of_associativity", 0, maxWays)
	c.Line, c.Ways = int(line), int(ways)
	if size, ok := t.size(dir + "/size"); ok {
		c.Size = size
	} else if sets, ok := t.number(dir+"/number_of_sets", 1, maxCacheSize); ok {
		c.Size = product(sets, ways, line)
	}
	return c, true
}

// product multiplies three non-negative numbers of a cache's shape; what is no
// possible size is 0.
func product(sets, ways, line int64) int64 {
	if sets > maxCacheSize/max(1, ways*line) {
		return 0
	}
	if size := sets * ways * line; size >= minCacheSize {
		return size
	}
	return 0
}

func (t *tree) cacheType(name string, k int) string {
	s, ok := t.text(name)
	switch {
	case ok && (s == Data || s == Instruction || s == Unified):
		return s
	case ok:
		t.warn("%s says %s: ignored", name, quote(s))
	}
	if k < len(usual) {
		return usual[k].kind
	}
	return Unified
}

// size reads a size such as "32K", which is how the kernel writes all of them.
// Virtual machines are known to write "0K".
func (t *tree) size(name string) (int64, bool) {
	s, ok := t.text(name)
	if !ok {
		return 0, false
	}
	v, err := ParseSize(s)
	if err != nil || v < minCacheSize || v > maxCacheSize {
		t.warn("%s says %s, which is no size of a cache: ignored", name, quote(s))
		return 0, false
	}
	return v, true
}

// ParseSize reads a number of bytes with an optional binary unit: "32K", "1M",
// "2g", "48KiB", "65536". It is the format of --l1, --l2 and --l3, too.
func ParseSize(s string) (int64, error) {
	number := strings.TrimRight(s, "BbiKkMmGgTt")
	unit := strings.ToLower(s[len(number):])
	shift, ok := map[string]int{
		"": 0, "b": 0,
		"k": 10, "kb": 10, "kib": 10,
		"m": 20, "mb": 20, "mib": 20,
		"g": 30, "gb": 30, "gib": 30,
		"t": 40, "tb": 40, "tib": 40,
	}[unit]
	v, err := strconv.ParseUint(number, 10, 63)
	if !ok || err != nil || int64(v) > maxBytes>>shift {
		return 0, fmt.Errorf("%s is no number of bytes such as 32K or 1MiB", quote(s))
	}
	return int64(v) << shift, nil
}

// sharers returns the processors that share a cache, cpu among them.
func (t *tree) sharers(name string, topo *topology, cpu, level int) []int {
	if list, ok := t.cpus(name); ok {
		list = within(list, topo.cpus)
		if slices.Contains(list, cpu) {
			return list
		}
		t.warn("%s does not name processor %d: ignored", name, cpu)
	}
	return topo.usualSharers(cpu, level)
}
