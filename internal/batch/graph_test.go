package batch

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAGraphKeepsItsPromises runs random graphs, which grow meanwhile, with
// jobs that fail at random.
func TestAGraphKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewGraph()
		all := map[string]*Job{}
		ended := map[string]bool{} // and whether well
		var out []*Job
		next := 0
		note := func(skipped []*Job) {
			for _, j := range skipped {
				if _, ok := ended[j.ID]; ok {
					t.Fatalf("job %s ended two times", j.ID)
				}
				if !slices.ContainsFunc(j.After, func(id string) bool { ok, end := ended[id]; return end && !ok }) {
					// One that comes later in skipped may be the reason.
					if !slices.ContainsFunc(j.After, func(id string) bool { return slices.Contains(skipped, all[id]) }) {
						t.Fatalf("job %s was skipped and comes after %v", j.ID, j.After)
					}
				}
			}
			for _, j := range skipped {
				ended[j.ID] = false
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				var jobs []*Job
				for range rapid.IntRange(1, 4).Draw(t, "jobs") {
					next++
					j := &Job{Seq: next, ID: fmt.Sprint(next), Priority: rapid.IntRange(0, 9).Draw(t, "priority")}
					for id := range all {
						if rapid.IntRange(0, 3).Draw(t, "after") == 0 {
							j.After = append(j.After, id)
						}
					}
					slices.Sort(j.After)
					all[j.ID] = j
					jobs = append(jobs, j)
				}
				slices.Reverse(jobs)
				note(g.Add(jobs...))
			},
			"take": func(t *rapid.T) {
				if len(g.Ready()) == 0 {
					t.Skip("nothing is ready")
				}
				j := rapid.SampledFrom(g.Ready()).Draw(t, "job")
				g.Take(j)
				out = append(out, j)
			},
			"end": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip("nothing is out")
				}
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				j := out[i]
				out = slices.Delete(out, i, i+1)
				ended[j.ID] = rapid.Bool().Draw(t, "well")
				if ended[j.ID] {
					g.Done(j)
				} else {
					note(g.Fail(j))
				}
			},
			"": func(t *rapid.T) {
				var want []*Job
				for _, j := range all {
					_, over := ended[j.ID]
					wait := slices.ContainsFunc(j.After, func(id string) bool { return !ended[id] })
					if !over && !wait && !slices.Contains(out, j) {
						want = append(want, j)
					}
				}
				slices.SortFunc(want, before)
				if !slices.Equal(g.Ready(), want) {
					t.Fatalf("ready are %v, want %v", ids(g.Ready()), ids(want))
				}
				if g.Left() != len(all)-len(ended) {
					t.Fatalf("%d left of %d, %d ended", g.Left(), len(all), len(ended))
				}
			},
		})
	})
}

func ids(jobs []*Job) (ids []string) {
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	return ids
}

func TestInOrderPutsEachJobBehindWhatItComesAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var jobs []*Job
		for i := range rapid.IntRange(0, 20).Draw(t, "jobs") {
			j := &Job{Seq: i + 1, ID: fmt.Sprint(i), Priority: rapid.IntRange(0, 9).Draw(t, "priority")}
			for on := range i {
				if rapid.IntRange(0, 4).Draw(t, "after") == 0 {
					j.After = append(j.After, fmt.Sprint(on))
				}
			}
			jobs = append(jobs, j)
		}
		shuffled := rapid.Permutation(jobs).Draw(t, "list")
		place := map[string]int{}
		for i, j := range InOrder(shuffled) {
			place[j.ID] = i
		}
		if len(place) != len(jobs) {
			t.Fatalf("got %v of %d jobs", slices.Collect(maps.Keys(place)), len(jobs))
		}
		for _, j := range jobs {
			for _, id := range j.After {
				if place[id] >= place[j.ID] {
					t.Fatalf("job %s stands before %s", j.ID, id)
				}
			}
		}
	})
}
