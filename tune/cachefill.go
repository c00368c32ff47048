package tune

// Sizes of caches that nobody tells, in bytes. Each is the smallest among the
// processors with vector units that matmul is written for (L1d: Intel and Zen
// cores before 2019; L2: Intel's client cores before 2020), so that blocks
// chosen for them fit everywhere.
const (
	defaultL1      = 32 << 10
	defaultL2      = 256 << 10
	defaultL3Share = 1 << 20 // per core
	defaultLine    = 64
)

// fill completes what the kernel did not tell: first sizes, then whole levels.
func (t *tree) fill(topo *topology, id CPUID, caches []Cache) []Cache {
	arm := t.armCaches()
	for i := range caches {
		c := &caches[i]
		if c.Size == 0 {
			c.Size, c.Source = topo.sizeOf(c, id, arm)
		}
		if c.Line == 0 {
			c.Line = lineOf(id)
		}
	}
	none := len(caches) == 0
	for level := 1; level <= 3; level++ {
		// No processor that matters lacks the first two levels, and the models
		// need them; many lack a third.
		if !anyOf(caches, level) && (none || level <= 2 || cpuidSize(level, id) > 0) {
			caches = append(caches, topo.assumed(level, id, arm)...)
		}
	}
	return caches
}

func lineOf(id CPUID) int {
	if id.Line >= 8 && id.Line <= 4096 {
		return id.Line
	}
	return defaultLine
}

func anyOf(caches []Cache, level int) bool {
	for i := range caches {
		if caches[i].Level == level && caches[i].holdsData() {
			return true
		}
	}
	return false
}

// sizeOf returns the size of a cache without one, and where it is from.
func (topo *topology) sizeOf(c *Cache, id CPUID, arm armCore) (int64, string) {
	fromID := cpuidSize(c.Level, id)
	if !c.holdsData() {
		fromID = plausible(id.L1i)
	}
	if fromID > 0 {
		return fromID, "cpuid"
	}
	if named := [...]int64{1: arm.l1d, 2: arm.l2, 3: 0, 4: 0}[c.Level]; named > 0 && c.holdsData() {
		return named, "processor name"
	}
	switch c.Level {
	case 1:
		return defaultL1, "default"
	case 2:
		return defaultL2, "default"
	}
	return defaultL3Share * int64(topo.coresAmong(c.CPUs)), "default"
}

// cpuidSize returns what the processor says of the data caches of a level.
func cpuidSize(level int, id CPUID) int64 {
	switch level {
	case 1:
		return plausible(id.L1d)
	case 2:
		return plausible(id.L2)
	case 3:
		return plausible(id.L3)
	}
	return 0
}

func plausible(size int64) int64 {
	if size < minCacheSize || size > maxCacheSize {
		return 0
	}
	return size
}

// assumed makes up the data caches of a level: one per core, or per package for
// level 3.
func (topo *topology) assumed(level int, id CPUID, arm armCore) []Cache {
	var caches []Cache
	done := make(map[int]bool)
	for _, core := range topo.cores {
		if done[core.CPUs[0]] {
			continue
		}
		c := Cache{Level: level, Type: Unified, Line: lineOf(id)}
		if level == 1 {
			c.Type = Data
		}
		c.CPUs = topo.usualSharers(core.CPUs[0], level)
		c.Size, c.Source = topo.sizeOf(&c, id, arm)
		for _, cpu := range c.CPUs {
			done[cpu] = true
		}
		caches = append(caches, c)
	}
	return caches
}
