package main

import "matmul/internal/sys"

// An ability is something that makes this program faster or safer, and that a
// kernel, a container or a sandbox may not give. It works without.
type ability struct {
	Name  string `json:"name"`
	Works bool   `json:"works"`
	Why   string `json:"why_not,omitempty"`
	// Without is what its absence means.
	Without string `json:"without"`
}

// abilities tries everything that this program can do without. Outputs are
// taken to go to the directory dir.
func abilities(dir string) (all []ability) {
	for _, try := range []struct {
		name, without string
		err           error
	}{
		{"shared huge pages", "panels lie in pages of the usual size: a few per cent slower", sys.TryHuge()},
		{"pinning", "workers move between processors, and away from their caches", sys.TryPinning()},
		{"SCHED_BATCH", "the Go runtime's monitor interrupts workers: small products take up to a third longer", sys.TryBatch()},
		{"timer slack", "timers of the Go runtime's monitor in the master interrupt workers: after a pause small products take up to a quarter longer", sys.TryTimerSlack()},
		{"short time slices", "where workers fill all processors, an answer waits some milliseconds for the master", sys.TrySlice()},
		{"outputs without a name", "an output is a file .matmul-*.part until it is complete, which SIGKILL leaves behind", sys.TryUnnamed(dir)},
	} {
		a := ability{Name: try.name, Works: try.err == nil, Without: try.without}
		if try.err != nil {
			a.Why = try.err.Error()
		}
		all = append(all, a)
	}
	return all
}
