package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"matmul/internal/sys"
	"matmul/tune"
)

// A claimant takes physical cores for itself as long as this process lives, so
// that two matmuls on one machine do not pin workers onto the same ones. It
// sees those that run in the same network namespace, whoever started them.
type claimant struct {
	machine *tune.Machine
	claims  []sys.Claim
	taken   []int        // processors of cores that other processes have
	holders map[int]bool // the processes, as far as they are known
}

// coreOf returns the lowest processor of the physical core that has cpu: what a
// core is called by all processes, whatever they may use of it.
func (c *claimant) coreOf(cpu int) int {
	for _, core := range c.machine.Cores {
		if slices.Contains(core.CPUs, cpu) {
			return core.CPUs[0]
		}
	}
	return cpu
}

// take claims the core of cpu. Where claims do not work there are none to be
// seen, and it succeeds.
func (c *claimant) take(cpu int) bool {
	claim, holder, err := sys.NewClaim(fmt.Sprintf("matmul/core/%d", c.coreOf(cpu)))
	switch {
	case err == nil:
		c.claims = append(c.claims, claim)
	case errors.Is(err, sys.ErrClaimed):
		c.taken = append(c.taken, cpu)
		if holder > 0 {
			c.holders[holder] = true
		}
		return false
	}
	return true
}

// release gives the cores back.
func (c *claimant) release() {
	for _, claim := range c.claims {
		claim.Release()
	}
	c.claims = nil
}

// free returns processors of cores that were free, and are claimed now, for n
// workers; nil if there are not as many.
func (c *claimant) free(l *tune.Limits, n int) (cpus []int) {
	all := l.Pins(c.machine, len(l.Affinity)) // every processor, in the order in which workers take them
	tried := map[int]bool{}                   // whether each core could be had
	for _, cpu := range all {
		core := c.coreOf(cpu)
		if _, ok := tried[core]; !ok && len(cpus) < n {
			tried[core] = c.take(cpu)
		}
		if tried[core] && len(cpus) < n {
			cpus = append(cpus, cpu)
		}
	}
	if len(cpus) < n {
		c.release()
		return nil
	}
	return cpus
}

// others says who has the cores that could not be had.
func (c *claimant) others() string {
	who := "another matmul"
	if len(c.holders) > 0 {
		ids := fmt.Sprint(slices.Sorted(maps.Keys(c.holders)))
		who += " (process " + strings.ReplaceAll(strings.Trim(ids, "[]"), " ", ", ") + ")"
	}
	slices.Sort(c.taken)
	return fmt.Sprintf("%s has the cores of processors %s", who, tune.FormatCPUs(c.taken))
}

// pin chooses the processors of the workers: cores that no other matmul has, if
// there are enough. If not, the workers are not pinned, and c.unpinned says why.
// The cores stay this process's until it ends.
func (c *crew) pin() {
	if c.placed {
		return
	}
	c.placed = true
	if c.pins = c.limits.Pins(c.machine, c.workers); c.pins == nil {
		return // more workers than processors
	}
	claims := &claimant{machine: c.machine, holders: map[int]bool{}}
	c.pins = claims.free(c.limits, c.workers)
	if c.pins == nil {
		c.unpinned = claims.others()
	}
}

// takenCores says which cores other matmuls have, "" if none.
func takenCores(m *tune.Machine, l *tune.Limits) string {
	c := &claimant{machine: m, holders: map[int]bool{}}
	defer c.release()
	tried := map[int]bool{}
	for _, cpu := range l.Affinity {
		if core := c.coreOf(cpu); !tried[core] {
			tried[core] = true
			c.take(cpu)
		}
	}
	if len(c.taken) == 0 {
		return ""
	}
	return c.others()
}
