package tune

import (
	"fmt"
	"slices"
)

// A Class is a kind of core of a processor that has several.
type Class struct {
	Name string `json:"name"`
	CPUs []int  `json:"cpus"`
}

// classes returns the kinds of core, fastest first, or nil if all are alike.
//
// Intel's hybrids have a performance-monitoring device per kind. Elsewhere
// (Arm, and x86 since Linux 6.12) cpu_capacity tells how fast each processor is
// in units of 1/1024 of the fastest: Documentation/scheduler/sched-capacity.rst.
func (t *tree) classes(online []int) []Class {
	fast, ok := t.cpus("/sys/devices/cpu_core/cpus")
	if ok {
		slow, _ := t.cpus("/sys/devices/cpu_atom/cpus")
		fast, slow = within(fast, online), within(slow, online)
		if len(fast) > 0 && len(slow) > 0 {
			return []Class{{"performance", fast}, {"efficiency", slow}}
		}
	}
	return t.capacityClasses(online)
}

// capacityClasses groups processors whose capacity is within an eighth of the
// fastest of their group: favoured cores of one kind differ by a few per cent.
func (t *tree) capacityClasses(online []int) []Class {
	capacity := make(map[int]int64, len(online))
	for _, cpu := range online {
		c, ok := t.number(fmt.Sprintf("%s/cpu%d/cpu_capacity", cpuDir, cpu), 1, 1024)
		if !ok {
			return nil
		}
		capacity[cpu] = c
	}
	order := slices.Clone(online)
	slices.SortStableFunc(order, func(a, b int) int { return int(capacity[b] - capacity[a]) })
	var classes []Class
	var top int64
	for _, cpu := range order {
		if capacity[cpu] < top-top/8 || classes == nil {
			top = capacity[cpu]
			classes = append(classes, Class{Name: fmt.Sprintf("capacity %d", top)})
		}
		last := &classes[len(classes)-1]
		last.CPUs = append(last.CPUs, cpu)
	}
	if len(classes) == 1 {
		return nil
	}
	for i := range classes {
		slices.Sort(classes[i].CPUs)
	}
	return classes
}
