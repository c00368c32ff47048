package batch

import (
	"cmp"
	"slices"
)

// A Graph knows which jobs can run now: those that come after nothing that is
// not done, the highest priority first, and of equals the first in the list. It
// is not safe for concurrent use.
type Graph struct {
	nodes map[string]*node
	ready []*Job // in the order in which they should run
	left  int    // jobs that have not ended
}

type node struct {
	job    *Job
	state  state
	waits  int     // for so many that it comes after
	follow []*node // those that come after it
}

type state uint8

const (
	waiting state = iota
	given         // out with who asked for it
	done
	failed // or skipped
)

// NewGraph returns a graph without jobs.
func NewGraph() *Graph { return &Graph{nodes: map[string]*node{}} }

// Add adds jobs that were checked: the ids are new, and what they come after is
// among them or there already. It returns those that are skipped at once,
// because what they come after has failed.
func (g *Graph) Add(jobs ...*Job) (skipped []*Job) {
	for _, j := range jobs {
		g.nodes[j.ID] = &node{job: j}
		g.left++
	}
	for _, j := range jobs {
		n := g.nodes[j.ID]
		for _, id := range j.After {
			if on := g.nodes[id]; on.state != done {
				n.waits++
				on.follow = append(on.follow, n)
			}
		}
		if n.waits == 0 {
			g.makeReady(n.job)
		}
	}
	for _, j := range jobs {
		n := g.nodes[j.ID]
		if n.state == waiting && slices.ContainsFunc(j.After, func(id string) bool { return g.nodes[id].state == failed }) {
			skipped = g.skip(n, skipped)
		}
	}
	return skipped
}

func before(a, b *Job) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Seq, b.Seq))
}

func (g *Graph) makeReady(j *Job) {
	at, _ := slices.BinarySearchFunc(g.ready, j, before)
	g.ready = slices.Insert(g.ready, at, j)
}

// Ready returns the jobs that can run now, in the order in which they should.
// The slice is the graph's own, and valid until its next method.
func (g *Graph) Ready() []*Job { return g.ready }

// Take takes a job from those that are ready.
func (g *Graph) Take(j *Job) {
	at, ok := slices.BinarySearchFunc(g.ready, j, before)
	if !ok {
		panic("batch: Take of a job that is not ready")
	}
	g.ready = slices.Delete(g.ready, at, at+1)
	g.nodes[j.ID].state = given
}

// Done notes that a job that was taken is done, and makes ready what waited for
// it alone.
func (g *Graph) Done(j *Job) {
	n := g.end(j, done)
	for _, f := range n.follow {
		if f.waits--; f.waits == 0 && f.state == waiting {
			g.makeReady(f.job)
		}
	}
}

// Fail notes that a job that was taken has failed, and returns those that are
// skipped for that: all that come after it, in the order of the list.
func (g *Graph) Fail(j *Job) (skipped []*Job) {
	for _, f := range g.end(j, failed).follow {
		skipped = g.skip(f, skipped)
	}
	slices.SortFunc(skipped, func(a, b *Job) int { return cmp.Compare(a.Seq, b.Seq) })
	return skipped
}

func (g *Graph) end(j *Job, s state) *node {
	n := g.nodes[j.ID]
	if n.state != given {
		panic("batch: end of a job that was not taken")
	}
	n.state = s
	g.left--
	return n
}

// skip marks a job, and all that come after it, as failed.
func (g *Graph) skip(first *node, skipped []*Job) []*Job {
	for todo := []*node{first}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n.state != waiting {
			continue
		}
		n.state = failed
		g.left--
		skipped = append(skipped, n.job)
		todo = append(todo, n.follow...)
	}
	return skipped
}

// Left returns how many jobs have not ended.
func (g *Graph) Left() int { return g.left }

// InOrder returns jobs such that each stands behind all that it comes after. The
// jobs were checked.
func InOrder(jobs []*Job) (ordered []*Job) {
	g := NewGraph()
	g.Add(jobs...)
	for len(g.ready) > 0 {
		j := g.ready[0]
		g.Take(j)
		ordered = append(ordered, j)
		g.Done(j)
	}
	return ordered
}
