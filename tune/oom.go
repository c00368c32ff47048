package tune

import (
	"strconv"
	"strings"
)

// OOMKills returns how many processes of this process's control group the
// kernel's OOM killer has ended so far; 0 where nobody counts. A group's count
// includes its descendants, whichever limit was hit.
func (s System) OOMKills() (kills int64) {
	t := &tree{root: s.Root}
	g := t.cgroups()
	if len(g.v2) > 0 {
		kills += t.counter(g.v2[0]+"/memory.events", "oom_kill")
	}
	if len(g.memory) > 0 {
		kills += t.counter(g.memory[0]+"/memory.oom_control", "oom_kill")
	}
	return kills
}

// counter returns the number behind a key in a table of "KEY NUMBER" lines, 0
// if there is none.
func (t *tree) counter(name, key string) int64 {
	text, _ := t.textOrEmpty(name)
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == key {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil && n >= 0 {
				return n
			}
		}
	}
	return 0
}
