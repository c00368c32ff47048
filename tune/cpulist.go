package tune

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"matmul/internal/sys"
)

// cpus returns the processors that a file lists, ascending.
func (t *tree) cpus(name string) ([]int, bool) {
	s, ok := t.text(name)
	if !ok {
		return nil, false
	}
	return t.parseCPUs(name, s)
}

func (t *tree) parseCPUs(name, s string) ([]int, bool) {
	list, err := parseCPUList(s)
	if err != nil {
		t.warn("%s is ignored: %v", name, err)
		return nil, false
	}
	return list, true
}

// parseCPUList reads the kernel's list format, such as "0-3,8,10-11", and
// returns its members ascending and once each. See "cpulist" in the kernel's
// Documentation/admin-guide/kernel-parameters.rst.
func parseCPUList(s string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		lo, err := parseCPU(first)
		if err != nil {
			return nil, err
		}
		hi := lo
		if isRange {
			if hi, err = parseCPU(last); err != nil {
				return nil, err
			}
		}
		if hi < lo || len(cpus)+hi-lo >= 2*sys.MaxProcessors {
			return nil, fmt.Errorf("%s is no list of processors", quote(s))
		}
		for cpu := lo; cpu <= hi; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

func parseCPU(s string) (int, error) {
	cpu, err := strconv.ParseUint(s, 10, 31)
	if err != nil || cpu >= sys.MaxProcessors {
		return 0, fmt.Errorf("%s is no logical processor", quote(s))
	}
	return int(cpu), nil
}

// FormatCPUs writes processors, ascending, as the kernel lists them: "0-3,8,10-11".
func FormatCPUs(cpus []int) string {
	var b strings.Builder
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(cpus[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(cpus[j]))
		}
		i = j + 1
	}
	return b.String()
}

// within returns the members of cpus that are also in set; both ascend.
func within(cpus, set []int) []int {
	var both []int
	for _, cpu := range cpus {
		if _, found := slices.BinarySearch(set, cpu); found {
			both = append(both, cpu)
		}
	}
	return both
}
