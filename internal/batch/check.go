package batch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Checker finds what is wrong with jobs as a whole: ids that are there twice,
// "after" that names nobody, circles, two jobs that write one file, a job that
// reads what another writes and does not come after it. It is given either all
// jobs at once, or each as it arrives.
type Checker struct {
	same     func(string) string
	byID     map[string]*Job
	writer   map[string]*Job // of each file
	reader   map[string]*Job // the first one of each file
	problems []Problem
}

// NewChecker returns a Checker that knows of no job. same returns for a path
// what all names of one file have in common.
func NewChecker(same func(path string) string) *Checker {
	return &Checker{same: same, byID: map[string]*Job{}, writer: map[string]*Job{}, reader: map[string]*Job{}}
}

// All returns all that is wrong with jobs, by line.
func (c *Checker) All(jobs []*Job) []Problem {
	for _, j := range jobs {
		c.name(j)
	}
	for _, j := range jobs {
		c.follow(j, "no job's id")
	}
	c.circles(jobs)
	if len(c.problems) == 0 { // else one mistake would show twice
		for _, j := range jobs {
			c.reads(j)
		}
	}
	return c.found()
}

// Arrive returns what is wrong with a job beside those that came before it. It
// may come after those alone. One with which something is wrong is as if it had
// not come.
func (c *Checker) Arrive(j *Job) []Problem {
	c.problems = nil
	c.follow(j, "no earlier job's id")
	c.name(j)
	if r := c.reader[c.same(j.Out)]; r != nil {
		c.add(j, "writes %s, which line %d reads", j.Out, r.Line)
	}
	if len(c.problems) == 0 {
		c.reads(j)
	}
	if len(c.problems) > 0 {
		c.forget(j)
		return c.found()
	}
	for _, path := range j.Inputs() {
		if key := c.same(path); c.reader[key] == nil {
			c.reader[key] = j
		}
	}
	return nil
}

func (c *Checker) forget(j *Job) {
	if c.byID[j.ID] == j {
		delete(c.byID, j.ID)
	}
	if out := c.same(j.Out); c.writer[out] == j {
		delete(c.writer, out)
	}
}

// Writer returns the job that writes a file; nil if none does.
func (c *Checker) Writer(path string) *Job { return c.writer[c.same(path)] }

func (c *Checker) add(j *Job, format string, args ...any) {
	c.problems = append(c.problems, Problem{j.Line, fmt.Sprintf(format, args...)})
}

func (c *Checker) found() []Problem {
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return c.problems
}

// name notes a job's id and its output, each of which is its own.
func (c *Checker) name(j *Job) {
	if first, ok := c.byID[j.ID]; ok {
		c.add(j, "has the id %q, as line %d has", j.ID, first.Line)
	} else {
		c.byID[j.ID] = j
	}
	out := c.same(j.Out)
	if first, ok := c.writer[out]; ok {
		c.add(j, "writes %s, as line %d does", j.Out, first.Line)
	} else {
		c.writer[out] = j
	}
}

// follow looks for what a job comes after.
func (c *Checker) follow(j *Job, nobody string) {
	for _, id := range j.After {
		if c.byID[id] == nil {
			c.add(j, "comes after %q, which is %s", id, nobody)
		}
	}
}

// reads looks for who writes what a job reads.
func (c *Checker) reads(j *Job) {
	for _, path := range j.Inputs() {
		w := c.writer[c.same(path)]
		switch {
		case w == nil:
		case w == j:
			c.add(j, "writes %s, which it reads", path)
		case !c.comesAfter(j, w):
			c.add(j, `reads %s, which line %d writes: add %q to its "after"`, path, w.Line, w.ID)
		}
	}
}

// comesAfter reports whether j comes after w, or after what does. There are no
// circles.
func (c *Checker) comesAfter(j, w *Job) bool {
	if slices.Contains(j.After, w.ID) {
		return true
	}
	seen := map[*Job]bool{}
	left := []*Job{j}
	for len(left) > 0 {
		top := left[len(left)-1]
		left = left[:len(left)-1]
		for _, id := range top.After {
			on := c.byID[id]
			if on == w {
				return true
			}
			if !seen[on] {
				seen[on] = true
				left = append(left, on)
			}
		}
	}
	return false
}

// A walk is a path through a list, from a job to what it comes after.
type walk struct {
	job  *Job
	next int // of its After
}

// circles looks for jobs that come after themselves.
func (c *Checker) circles(jobs []*Job) {
	closed := map[*Job]bool{}
	on := map[*Job]int{} // place on the path, from 1
	for _, start := range jobs {
		for path := []walk{{job: start}}; len(path) > 0 && !closed[start]; {
			top := &path[len(path)-1]
			on[top.job] = len(path)
			if top.next == len(top.job.After) {
				closed[top.job] = true
				delete(on, top.job)
				path = path[:len(path)-1]
				continue
			}
			to := c.byID[top.job.After[top.next]]
			top.next++
			if at := on[to]; at > 0 {
				c.circle(path[at-1:])
			} else if to != nil && !closed[to] {
				path = append(path, walk{job: to})
			}
		}
	}
}

// circle names the jobs of a circle.
func (c *Checker) circle(path []walk) {
	var ids []string
	for _, w := range path {
		ids = append(ids, w.job.ID)
	}
	c.add(path[0].job, "comes after itself: %s", strings.Join(append(ids, ids[0]), " after "))
}
