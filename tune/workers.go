package tune

import (
	"fmt"
	"math"
)

// A WorkerCount is a number of workers and why it is that.
type WorkerCount struct {
	N   int    `json:"workers"`
	Why string `json:"why"`
}

// Workers returns the number of workers to start where the user does not say:
// the least of the physical cores in the affinity mask, the cgroup limits of
// processor time and Slurm's processors per task, fractions rounded down; at
// least 1. More workers than a quota feeds are all stopped by it in the middle
// of a tile, and those that share a tile's end wait for each other.
func (l *Limits) Workers(m *Machine) WorkerCount {
	cores := len(l.cores(m))
	count := WorkerCount{cores, fmt.Sprintf("%s in the affinity mask", plural(cores, "physical core"))}
	for _, limit := range l.CPULimits {
		if n := max(1, int(math.Min(limit.CPUs, math.MaxInt32))); n < count.N {
			why := fmt.Sprintf("%s allows %.4g of %s", limit.Source, limit.CPUs, plural(cores, "physical core"))
			count = WorkerCount{n, why}
		}
	}
	return count
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
