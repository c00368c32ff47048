package tune

import (
	"fmt"
	"slices"
)

// A Core is a physical core: the unit that owns multiply-add pipelines, an L1
// and mostly an L2. Its logical processors (SMT siblings) share all of these,
// so that a second worker on a core adds next to nothing to a product.
type Core struct {
	CPUs    []int `json:"cpus"`
	Package int   `json:"package"`
	Node    int   `json:"node"`
	// Class is the core's index in Machine.Classes; 0 where all are alike.
	Class int `json:"class"`
}

// maxSiblings is the most hardware threads a core has on any processor that
// Linux runs on (POWER's SMT8). A list that names more is not believed.
const maxSiblings = 8

// cores groups the logical processors by the core that they share.
func (t *tree) cores(cpus []int) []Core {
	var cores []Core
	taken := make(map[int]bool, len(cpus))
	for _, cpu := range cpus {
		if taken[cpu] {
			continue
		}
		siblings := slices.DeleteFunc(t.siblings(cpu, cpus), func(c int) bool { return taken[c] })
		for _, c := range siblings {
			taken[c] = true
		}
		cores = append(cores, Core{CPUs: siblings, Package: t.packageOf(cpu)})
	}
	return cores
}

// siblings returns the online processors of cpu's core, cpu among them. Without
// a list that makes sense a processor is a core by itself. The first file is
// the second's name since Linux 5.3.
func (t *tree) siblings(cpu int, online []int) []int {
	for _, file := range []string{"core_cpus_list", "thread_siblings_list"} {
		name := fmt.Sprintf("%s/cpu%d/topology/%s", cpuDir, cpu, file)
		list, ok := t.cpus(name)
		if !ok {
			continue
		}
		if list = within(list, online); len(list) <= maxSiblings && slices.Contains(list, cpu) {
			return list
		}
		t.warn("%s does not list the siblings of processor %d: ignored", name, cpu)
	}
	return []int{cpu}
}

// packageOf returns the number of cpu's socket. Arm machines without firmware
// tables say -1.
func (t *tree) packageOf(cpu int) int {
	name := fmt.Sprintf("%s/cpu%d/topology/physical_package_id", cpuDir, cpu)
	id, ok := t.number(name, -1, 1<<31-1)
	if !ok || id < 0 {
		return 0
	}
	return int(id)
}

func countPackages(cores []Core) int {
	seen := make(map[int]bool)
	for _, c := range cores {
		seen[c.Package] = true
	}
	return len(seen)
}
