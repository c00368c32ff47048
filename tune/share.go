package tune

import (
	"fmt"
	"slices"
)

// CacheSizes are capacities of the data caches by level, in bytes. As an
// override (--l1, --l2, --l3) 0 means: as found. As an answer L1 and L2 are
// never 0; L3 is where there is no third level.
type CacheSizes struct {
	L1 int64 `json:"l1_bytes"`
	L2 int64 `json:"l2_bytes"`
	L3 int64 `json:"l3_bytes"`
}

// Check returns an error unless every size that is given is one that a cache
// can have.
func (s CacheSizes) Check() error {
	for level := 1; level <= 3; level++ {
		if size := s.level(level); size != 0 && plausible(size) == 0 {
			return fmt.Errorf("level %d cache of %s: want %s to %s", level, FormatBytes(size), FormatBytes(minCacheSize), FormatBytes(maxCacheSize))
		}
	}
	return nil
}

func (s CacheSizes) level(level int) int64 {
	return [...]int64{1: s.L1, 2: s.L2, 3: s.L3}[level]
}

// Override returns a copy of the machine whose caches have the sizes given. A
// level that the machine does not have is added.
func (m *Machine) Override(sizes CacheSizes) *Machine {
	changed := *m
	changed.Caches = slices.Clone(m.Caches)
	for level := 1; level <= 3; level++ {
		size := sizes.level(level)
		if size <= 0 {
			continue
		}
		if !anyOf(changed.Caches, level) {
			changed.Caches = append(changed.Caches, newTopology(m).assumed(level, CPUID{}, armCore{})...)
		}
		for i := range changed.Caches {
			if c := &changed.Caches[i]; c.Level == level && c.holdsData() {
				c.Size, c.Source = size, "option"
			}
		}
	}
	return &changed
}

// CacheSizes returns the whole caches above the given processor, whoever shares
// them; for a processor that is unknown, the smallest of each level.
func (m *Machine) CacheSizes(cpu int) CacheSizes { return m.Share([]int{cpu}) }

// Line returns the length in bytes of the lines of the level 1 data caches: the
// longest, if they differ.
func (m *Machine) Line() int {
	line := 0
	for i := range m.Caches {
		if c := &m.Caches[i]; c.Level == 1 && c.holdsData() {
			line = max(line, c.Line)
		}
	}
	return line
}

// Share returns what each of the workers may call its own of every level: each
// cache is divided evenly among the workers below it, and the least of these
// parts counts, because all workers use the same block sizes. pins has the
// processor of each worker, as [Limits.Pins] returns them.
func (m *Machine) Share(pins []int) CacheSizes {
	var share [4]int64
	for level := range share {
		above, smallest := m.cachesOf(level)
		workers := make(map[*Cache]int64)
		for _, cpu := range pins {
			if c := above[cpu]; c != nil {
				workers[c]++
			} else if smallest != nil {
				// Nothing is said of this processor: it has one like the
				// smallest, to itself.
				workers[smallest] = max(workers[smallest], 1)
			}
		}
		for c, n := range workers {
			if share[level] == 0 || c.Size/n < share[level] {
				share[level] = c.Size / n
			}
		}
	}
	return CacheSizes{share[1], share[2], share[3]}
}

// cachesOf returns the data cache of a level above each processor, and the
// smallest of the level, which stands in where a processor has none.
func (m *Machine) cachesOf(level int) (above map[int]*Cache, smallest *Cache) {
	above = make(map[int]*Cache)
	for i := range m.Caches {
		c := &m.Caches[i]
		if c.Level != level || !c.holdsData() {
			continue
		}
		for _, cpu := range c.CPUs {
			above[cpu] = c
		}
		if smallest == nil || c.Size < smallest.Size {
			smallest = c
		}
	}
	return above, smallest
}
