package tune

import "slices"

// A topology answers what is around a logical processor, for machines of
// thousands of them, in constant time.
type topology struct {
	cpus     []int
	cores    []Core
	core     map[int]int   // processor: index in cores
	packages map[int][]int // package: its processors, ascending
}

func newTopology(m *Machine) *topology {
	topo := &topology{
		cpus:     m.CPUs,
		cores:    m.Cores,
		core:     make(map[int]int, len(m.CPUs)),
		packages: make(map[int][]int),
	}
	for i, core := range m.Cores {
		for _, cpu := range core.CPUs {
			topo.core[cpu] = i
		}
		topo.packages[core.Package] = append(topo.packages[core.Package], core.CPUs...)
	}
	for _, cpus := range topo.packages {
		slices.Sort(cpus)
	}
	return topo
}

// usualSharers are the siblings of a core for levels 1 and 2, and the package
// above: dividing a cache among too many is the safer error.
func (topo *topology) usualSharers(cpu, level int) []int {
	i, ok := topo.core[cpu]
	switch {
	case !ok:
		return []int{cpu}
	case level < 3:
		return topo.cores[i].CPUs
	}
	return topo.packages[topo.cores[i].Package]
}

// coresAmong counts the cores that have a processor in cpus.
func (topo *topology) coresAmong(cpus []int) int {
	seen := make(map[int]bool)
	for _, cpu := range cpus {
		if i, ok := topo.core[cpu]; ok {
			seen[i] = true
		}
	}
	return len(seen)
}
