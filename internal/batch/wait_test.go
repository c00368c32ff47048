package batch

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestNoSimulatedJobWaitsLonger simulates workers that hold a mailbox of tasks
// each, and take what goes first when they have none, and compares when the first
// task of an arriving job begins.
func TestNoSimulatedJobWaitsLonger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Mailbox{Tasks: rapid.IntRange(1, 7).Draw(t, "mailbox")}
		m.Compute = rapid.IntRange(0, m.Tasks).Draw(t, "of them compute")
		span := func(name string) time.Duration {
			return time.Duration(rapid.IntRange(1, 1000).Draw(t, name)) * time.Millisecond
		}
		me := Load{Priority: rapid.IntRange(0, 9).Draw(t, "priority"), Seq: 3}
		jobs := []Load{me}
		var first []time.Duration // tasks that go before the job's
		var later []Load
		for i := range rapid.IntRange(0, 6).Draw(t, "others") {
			o := Load{Priority: rapid.IntRange(0, 9).Draw(t, "other"), Seq: i + i/3, Compute: span("compute"), Disk: span("disk")}
			tasks := []time.Duration{o.Compute, o.Disk}
			for range rapid.IntRange(0, 4).Draw(t, "more") {
				tasks = append(tasks, min(span("task"), o.Compute))
			}
			for _, d := range tasks {
				o.Total += d
			}
			jobs = append(jobs, o)
			if o.Priority > me.Priority || o.Priority == me.Priority && o.Seq < me.Seq {
				first = append(first, tasks...)
			} else {
				later = append(later, o)
			}
		}
		free := make([]time.Duration, rapid.IntRange(1, 4).Draw(t, "workers")) // when each has done what it holds
		for i := range free {
			for task := range m.Tasks {
				if len(later) == 0 || rapid.IntRange(0, 5).Draw(t, "less") == 0 {
					break
				}
				o := rapid.SampledFrom(later).Draw(t, "held")
				if task < m.Compute && rapid.Bool().Draw(t, "computes") {
					free[i] += o.Compute
				} else {
					free[i] += o.Disk
				}
			}
		}
		soonest := func() *time.Duration {
			w := &free[0]
			for i := range free {
				if free[i] < *w {
					w = &free[i]
				}
			}
			return w
		}
		for _, d := range first {
			*soonest() += d
		}
		w := LongestWaits(jobs, len(free), m)[0]
		if begins := *soonest(); begins > w.Longest()+1 { // the division rounds down
			t.Fatalf("the first task begins at %v, the bound is %v (%+v)", begins, w.Longest(), w)
		}
	})
}

func TestTheWaitsOfSomeJobs(t *testing.T) {
	const s = time.Second
	jobs := []Load{
		{Priority: 1, Seq: 1, Compute: 4 * s, Disk: s, Total: 100 * s},
		{Priority: 9, Seq: 2, Compute: 2 * s, Disk: 3 * s, Total: 10 * s},
		{Priority: 1, Seq: 3, Alone: 5 * s, Total: 5 * s},
	}
	want := []Wait{
		{Blocking: 5 * s, Interference: 5 * s},         // the processor that the third has
		{Blocking: 2*4*s + 3*s + 5*s, Interference: 0}, // two tiles, three pieces of a file, the third
		{Blocking: 0, Interference: 55 * s},
	}
	for i, w := range LongestWaits(jobs, 2, Mailbox{Tasks: 5, Compute: 2}) {
		if w != want[i] {
			t.Errorf("job %d: got %+v, want %+v", i+1, w, want[i])
		}
	}
}
