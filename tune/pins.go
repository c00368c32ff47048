package tune

import (
	"cmp"
	"slices"
)

// cores returns the physical cores that the affinity mask reaches, each with
// the logical processors that it may use, in the order in which workers take
// them: fast classes first, and then by node and package, so that few workers
// sit close to each other's memory whatever the numbering of the machine.
func (l *Limits) cores(m *Machine) []Core {
	var cores []Core
	known := 0
	for _, core := range m.Cores {
		if core.CPUs = within(core.CPUs, l.Affinity); len(core.CPUs) > 0 {
			known += len(core.CPUs)
			cores = append(cores, core)
		}
	}
	if known < len(l.Affinity) {
		cores = append(cores, l.strangers(m)...)
	}
	slices.SortStableFunc(cores, func(a, b Core) int {
		return cmp.Or(a.Class-b.Class, a.Node-b.Node, cmp.Compare(a.Package, b.Package), a.CPUs[0]-b.CPUs[0])
	})
	return cores
}

// strangers are processors in the mask that the machine's description does not
// have: a core each.
func (l *Limits) strangers(m *Machine) []Core {
	var cores []Core
	topo := newTopology(m)
	for _, cpu := range l.Affinity {
		if _, known := topo.core[cpu]; !known {
			cores = append(cores, Core{CPUs: []int{cpu}})
		}
	}
	return cores
}

// Pins returns the logical processor for each of n workers: one per physical
// core first, performance cores before efficiency cores, and SMT siblings only
// when every core has its worker. It returns nil, for no pinning, when there
// are more workers than processors in the affinity mask.
func (l *Limits) Pins(m *Machine, n int) []int {
	if n > len(l.Affinity) {
		return nil
	}
	cores := l.cores(m)
	pins := make([]int, 0, n)
	for sibling := 0; len(pins) < n; sibling++ {
		for _, core := range cores {
			if sibling < len(core.CPUs) && len(pins) < n {
				pins = append(pins, core.CPUs[sibling])
			}
		}
	}
	return pins
}

// WorkerCaches returns the share of each cache level that one of n workers has:
// [Machine.Share] of their pins. Workers that are not pinned, being more than
// the processors, are taken to be spread evenly over the mask.
func (l *Limits) WorkerCaches(m *Machine, n int) CacheSizes {
	if pins := l.Pins(m, n); pins != nil {
		return m.Share(pins)
	}
	spread := make([]int, n)
	for i := range spread {
		spread[i] = l.Affinity[i%len(l.Affinity)]
	}
	return m.Share(spread)
}
