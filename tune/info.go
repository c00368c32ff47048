package tune

import "strings"

// Info is everything that detection knows, for `matmul info`.
type Info struct {
	Machine   *Machine    `json:"machine"`
	Limits    *Limits     `json:"limits"`
	Workers   WorkerCount `json:"default_workers"`
	Pins      []int       `json:"pins"`
	PerWorker CacheSizes  `json:"cache_per_worker"`
	Memory    Budget      `json:"memory"`
	HugePages HugePages   `json:"huge_pages"`
}

// HugePages are the kernel's settings of transparent huge pages:
// Documentation/admin-guide/mm/transhuge.rst.
type HugePages struct {
	// Enabled is the setting for private memory: always, madvise or never; ""
	// if the kernel does not tell.
	Enabled string `json:"enabled"`
	// Shmem is the setting for shared memory: always, within_size, advise,
	// never, deny or force; "" if the kernel does not tell.
	Shmem string `json:"shmem_enabled"`
	// Size of a transparent huge page in bytes, 0 if unknown.
	Size int64 `json:"size_bytes"`
}

// Info detects everything.
func (s System) Info() *Info {
	m, l := s.Detect()
	workers := l.Workers(m)
	t := &tree{root: s.Root}
	info := &Info{
		Machine: m, Limits: l, Workers: workers,
		Pins:      l.Pins(m, workers.N),
		PerWorker: l.WorkerCaches(m, workers.N),
		Memory:    l.Memory(),
		HugePages: t.hugePages(),
	}
	l.Warnings = append(l.Warnings, t.said()...)
	return info
}

func (t *tree) hugePages() HugePages {
	const dir = "/sys/kernel/mm/transparent_hugepage"
	pages := HugePages{
		Enabled: t.chosen(dir + "/enabled"),
		Shmem:   t.chosen(dir + "/shmem_enabled"),
	}
	size, ok := t.number(dir+"/hpage_pmd_size", minCacheSize, maxBytes)
	if !ok {
		size = t.meminfo("/proc/meminfo")["Hugepagesize"]
	}
	pages.Size = size
	return pages
}

// chosen reads the bracketed word of "always [madvise] never".
func (t *tree) chosen(name string) string {
	s, ok := t.text(name)
	if !ok {
		return ""
	}
	for word := range strings.FieldsSeq(s) {
		if strings.HasPrefix(word, "[") && strings.HasSuffix(word, "]") {
			return word[1 : len(word)-1]
		}
	}
	t.warn("%s says %s: ignored", name, quote(s))
	return ""
}
