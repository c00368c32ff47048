package tune

// cpuDir holds a directory per logical processor. See the kernel's
// Documentation/ABI/testing/sysfs-devices-system-cpu.
const cpuDir = "/sys/devices/system/cpu"

// A Machine is what the hardware offers, whoever may use it. All lists of
// logical processors ascend and hold the kernel's numbers.
type Machine struct {
	// Processor is its name, as profiles are stored by it.
	Processor string `json:"processor"`
	// CPUs are the logical processors that are online.
	CPUs []int `json:"cpus"`
	// Cores are the physical cores, by their lowest logical processor.
	Cores []Core `json:"cores"`
	// Packages is the number of sockets.
	Packages int `json:"packages"`
	// Classes are the kinds of core of a hybrid processor, fastest first; empty
	// where all cores are alike.
	Classes []Class `json:"classes,omitempty"`
	// Nodes are the NUMA nodes, by number. There is at least one.
	Nodes []Node `json:"numa"`
	// Caches are all caches, by level, type and first processor.
	Caches []Cache `json:"caches"`
	// Warnings tell which files made no sense and were replaced by defaults.
	Warnings []string `json:"warnings,omitempty"`
}

// Machine reads the hardware's description. It never fails: what is missing or
// malformed gets a default, and the latter a warning.
func (s System) Machine() *Machine {
	t := &tree{root: s.Root}
	id := s.cpuid()
	m := &Machine{Processor: t.processor(id), CPUs: s.online(t)}
	m.Cores = t.cores(m.CPUs)
	m.Packages = countPackages(m.Cores)
	m.Nodes = t.nodes(m.CPUs)
	m.Classes = t.classes(m.CPUs)
	m.place()
	m.Caches = t.caches(m, id)
	m.Warnings = t.said()
	return m.Override(s.Caches)
}

// online returns the logical processors that run; at least one.
func (s System) online(t *tree) []int {
	if cpus, ok := t.cpus(cpuDir + "/online"); ok {
		return cpus
	}
	if cpus := s.affinity(t); len(cpus) > 0 {
		return cpus
	}
	if cpus, ok := t.cpus(cpuDir + "/present"); ok {
		return cpus
	}
	t.warn("the processors that are online are unknown: taking one")
	return []int{0}
}

// place fills in the node and the class of every core.
func (m *Machine) place() {
	node, class := make(map[int]int), make(map[int]int)
	for _, n := range m.Nodes {
		for _, cpu := range n.CPUs {
			node[cpu] = n.ID
		}
	}
	for rank, c := range m.Classes {
		for _, cpu := range c.CPUs {
			class[cpu] = rank
		}
	}
	for i := range m.Cores {
		core := &m.Cores[i]
		core.Node, core.Class = node[core.CPUs[0]], class[core.CPUs[0]]
	}
}
