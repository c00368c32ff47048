package tune

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOOMKillsAreCounted(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		want             int64
	}{
		{"two", "two/a/memory.events", "low 0\noom 4\noom_kill 3\n", 3},
		{"one", "memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2},
		{"not counted", "memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", 0},
		{"malformed", "two/a/memory.events", "oom_kill\noom_kill many\n", 0},
		{"nowhere", "two/a/other", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range map[string]string{
				"proc/self/cgroup": "4:memory:/a\n0::/a\n",
				"proc/self/mountinfo": "30 23 0:27 / /sys/fs/cgroup/two rw - cgroup2 cgroup2 rw\n" +
					"31 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
				"sys/fs/cgroup/" + c.file: c.text,
			} {
				name = filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := (System{Root: root}).OOMKills(); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
