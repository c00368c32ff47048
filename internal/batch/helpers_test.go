package batch

import (
	"strings"
	"testing"
)

// readAll reads a list as the command does.
func readAll(t *testing.T, list string) (jobs []*Job, problems []string) {
	t.Helper()
	r := NewReader(strings.NewReader(list))
	for {
		j, ps, err := r.Next()
		if err != nil {
			return jobs, problems
		}
		for _, p := range ps {
			problems = append(problems, p.Error())
		}
		if j != nil {
			jobs = append(jobs, j)
		}
	}
}

// itself is for lists in which each file has one name.
func itself(path string) string { return path }
