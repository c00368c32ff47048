package tune

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// everyFile is a machine on which detection reads each file that it knows.
func everyFile() *recording {
	r := &recording{name: "every file", files: map[string]string{
		"proc/cpuinfo":                  "CPU implementer : 0x41\nCPU part : 0xd0c\n",
		"proc/meminfo":                  "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\nCommitLimit: 5000000 kB\nCommitted_AS: 1000000 kB\n",
		"proc/sys/vm/overcommit_memory": "2\n",
		"proc/self/status":              "Name:\tmatmul\nVmSize:\t 100000 kB\nMems_allowed_list:\t0\n",
		"proc/self/cgroup":              "2:memory:/a\n1:cpu:/a\n0::/a\n",
		"proc/self/mountinfo": "1 0 0:1 / /sys/fs/cgroup/two rw - cgroup2 none rw\n" +
			"2 0 0:2 / /sys/fs/cgroup/cpu rw - cgroup none rw,cpu\n" +
			"3 0 0:3 / /sys/fs/cgroup/memory rw - cgroup none rw,memory\n",
		"sys/fs/cgroup/two/a/cpu.max":                              "150000 100000\n",
		"sys/fs/cgroup/two/a/memory.max":                           "4000000000\n",
		"sys/fs/cgroup/two/a/memory.high":                          "3500000000\n",
		"sys/fs/cgroup/two/a/memory.current":                       "1000000000\n",
		"sys/fs/cgroup/two/a/memory.stat":                          "inactive_file 500000000\n",
		"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us":                     "150000\n",
		"sys/fs/cgroup/cpu/a/cpu.cfs_period_us":                    "100000\n",
		"sys/fs/cgroup/memory/a/memory.limit_in_bytes":             "4000000000\n",
		"sys/fs/cgroup/memory/a/memory.usage_in_bytes":             "1000000000\n",
		"sys/fs/cgroup/memory/a/memory.use_hierarchy":              "1\n",
		"sys/fs/cgroup/memory/a/memory.stat":                       "hierarchical_memory_limit 3000000000\ntotal_inactive_file 0\n",
		"sys/kernel/mm/transparent_hugepage/enabled":               "always [madvise] never\n",
		"sys/kernel/mm/transparent_hugepage/shmem_enabled":         "always within_size advise [never] deny force\n",
		"sys/kernel/mm/transparent_hugepage/hpage_pmd_size":        "2097152\n",
		"sys/devices/cpu_core/cpus":                                "0\n",
		"sys/devices/cpu_atom/cpus":                                "1\n",
		"sys/devices/system/cpu/online":                            "0-1\n",
		"sys/devices/system/node/online":                           "0-1\n",
		"sys/devices/system/node/node0/cpulist":                    "0-1\n",
		"sys/devices/system/node/node0/meminfo":                    "Node 0 MemTotal: 7000000 kB\nNode 0 MemFree: 3000000 kB\n",
		"sys/devices/system/node/node1/cpulist":                    "\n",
		"sys/devices/system/node/node1/meminfo":                    "Node 1 MemTotal: 1000000 kB\nNode 1 MemFree: 1000000 kB\n",
		"sys/devices/system/cpu/cpu0/topology/core_cpus_list":      "0\n",
		"sys/devices/system/cpu/cpu0/topology/physical_package_id": "0\n",
		"sys/devices/system/cpu/cpu1/topology/core_cpus_list":      "1\n",
		"sys/devices/system/cpu/cpu1/topology/physical_package_id": "0\n",
	}}
	for _, c := range [][]string{
		{"cpu0/cache/index0", "1", Data, "0"},
		{"cpu1/cache/index0", "1", Data, "1"},
		{"cpu0/cache/index2", "2", Unified, "0-1"},
	} {
		dir := "sys/devices/system/cpu/" + c[0]
		r.files[dir+"/level"] = c[1]
		r.files[dir+"/type"] = c[2]
		r.files[dir+"/size"] = "64K"
		r.files[dir+"/ways_of_associativity"] = "8"
		r.files[dir+"/coherency_line_size"] = "64"
		r.files[dir+"/shared_cpu_list"] = c[3]
	}
	r.system = System{
		Affinity:     func() ([]int, error) { return []int{0, 1}, nil },
		AddressSpace: func() (int64, error) { return 1 << 36, nil },
	}
	return r
}

// malformations turn one file into something that is no such file.
var malformations = map[string]func(name string) error{
	"empty":           func(name string) error { return os.WriteFile(name, nil, 0o644) },
	"blank":           func(name string) error { return os.WriteFile(name, []byte(" \n\n"), 0o644) },
	"one long line":   longLine,
	"sparse terabyte": func(name string) error { return os.WriteFile(name, nil, 0o644) },
	"binary": func(name string) error {
		return os.WriteFile(name, []byte("\x7fELF\x00\x01\xff\xfe\n\x00:\x00"), 0o644)
	},
	"negative":       func(name string) error { return os.WriteFile(name, []byte("-5\n"), 0o644) },
	"beyond 64 bits": func(name string) error { return os.WriteFile(name, []byte("99999999999999999999\n"), 0o644) },
	"a sentence":     func(name string) error { return os.WriteFile(name, []byte("not today, thank you\n"), 0o644) },
	"cyclic link":    func(name string) error { return os.Symlink(filepath.Base(name), name) },
	"directory":      func(name string) error { return os.Mkdir(name, 0o755) },
	"fifo":           func(name string) error { return syscall.Mkfifo(name, 0o644) },
}

// longLine is just longer than what is read.
func longLine(name string) error {
	length := maxFile + 1
	if base := filepath.Base(name); base == "cgroup" || base == "mountinfo" {
		length = maxTable + 1
	}
	return os.WriteFile(name, []byte(strings.Repeat("9", length)), 0o644)
}

// mayBe are the malformations that are legitimate contents of a file.
var mayBe = map[string][]string{
	"proc/self/cgroup":                      {"empty", "blank"}, // no hierarchy is mounted
	"sys/devices/system/node/node0/cpulist": {"empty", "blank"}, // memory alone
	"sys/devices/system/node/node1/cpulist": {"empty", "blank"},
}

func TestEveryMalformedFileGivesADefaultAndAWarning(t *testing.T) {
	r := everyFile()
	s := r.extract(t)
	if m, l := s.Detect(); len(m.Warnings)+len(l.Warnings) > 0 {
		t.Fatalf("the machine itself is malformed: %q %q", m.Warnings, l.Warnings)
	}
	for name, content := range r.files {
		path := filepath.Join(s.Root, name)
		for kind, malform := range malformations {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := malform(path); err != nil {
				t.Fatal(err)
			}
			if kind == "sparse terabyte" && os.Truncate(path, 1<<40) != nil {
				continue // this file system cannot
			}
			start := time.Now()
			info := s.Info()
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s, %s: detection took %v", name, kind, took)
			}
			warnings := append(info.Machine.Warnings, info.Limits.Warnings...)
			checkSane(t, name+", "+kind, info)
			if len(warnings) == 0 && !slices.Contains(mayBe[name], kind) {
				t.Errorf("%s, %s: no warning", name, kind)
			}
			if joined := strings.Join(warnings, ""); len(joined) > 4000 || !printable(joined) {
				t.Errorf("%s, %s: unreadable warnings %q", name, kind, joined)
			}
		}
		restore(t, path, content)
	}
}

func restore(t *testing.T, path, content string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkSane checks what holds of any machine, however badly described.
func checkSane(t *testing.T, what string, info *Info) {
	t.Helper()
	m, l := info.Machine, info.Limits
	if m.Processor == "" || len(m.CPUs) == 0 || len(m.Cores) == 0 || m.Packages < 1 || len(m.Nodes) == 0 {
		t.Errorf("%s: no machine: %+v", what, m)
	}
	var inCores []int
	for _, core := range m.Cores {
		inCores = append(inCores, core.CPUs...)
	}
	slices.Sort(inCores)
	if !slices.Equal(inCores, m.CPUs) {
		t.Errorf("%s: cores %v are not the processors %v", what, inCores, m.CPUs)
	}
	for _, c := range m.Caches {
		if c.Level < 1 || c.Level > maxLevel || c.Size < minCacheSize || c.Line < 8 || c.Ways < 0 || len(c.CPUs) == 0 || c.Source == "" {
			t.Errorf("%s: impossible cache %+v", what, c)
		}
	}
	if w := info.Workers; w.N < 1 || w.N > len(l.Affinity) || w.Why == "" {
		t.Errorf("%s: %+v workers", what, w)
	}
	for n := 1; n <= len(l.Affinity)+1; n++ {
		pins := l.Pins(m, n)
		if distinct := slices.Compact(slices.Sorted(slices.Values(pins))); n <= len(l.Affinity) && (len(distinct) != n || len(within(distinct, l.Affinity)) != n) {
			t.Errorf("%s: %d workers are pinned to %v", what, n, pins)
		}
		if share := l.WorkerCaches(m, n); share.L1 <= 0 || share.L2 <= 0 || share.L3 < 0 {
			t.Errorf("%s: %d workers have caches %+v", what, n, share)
		}
	}
	if b := info.Memory; b.Bytes <= 0 || b.Bytes > math.MaxInt64/2 || len(b.Why) == 0 {
		t.Errorf("%s: memory %+v", what, b)
	}
}

// Detection of any of the recorded machines survives each of its files being
// garbage; the machine above proves that there is a warning.
func TestRecordedMachinesSurviveGarbage(t *testing.T) {
	for _, name := range []string{"laptop-smt", "container-ancestor", "cgroup1-ancestor"} {
		r := load(t, "testdata/machines/"+name+".txtar")
		s := r.extract(t)
		for file, content := range r.files {
			if like := regexp.MustCompile(`/cpu[1-9]/`); like.MatchString(file) {
				continue // cpu0 has the same files
			}
			path := filepath.Join(s.Root, file)
			if err := os.WriteFile(path, []byte("\xff\x00-1,,max:9999999999999999999\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			checkSane(t, name+", "+file, s.Info())
			restore(t, path, content)
		}
	}
}

func TestUnreadableAndMissingFilesDiffer(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	root := t.TempDir()
	restore(t, filepath.Join(root, "secret"), "1")
	if err := os.Chmod(filepath.Join(root, "secret"), 0); err != nil {
		t.Fatal(err)
	}
	tr := &tree{root: root}
	tr.text("/missing")
	if len(tr.said()) > 0 {
		t.Errorf("a missing file gives %q", tr.said())
	}
	tr.text("/secret")
	if want := "/secret is ignored: " + fs.ErrPermission.Error(); !slices.Equal(tr.said(), []string{want}) {
		t.Errorf("an unreadable file gives %q, not %q", tr.said(), want)
	}
}

func TestWarningsAreBoundedAndSaidOnce(t *testing.T) {
	tr := &tree{}
	for i := range 3 * maxWarnings {
		tr.warn("warning %d", i/2)
	}
	said := tr.said()
	if len(said) != maxWarnings+1 || said[maxWarnings] != "and 20 more warnings" {
		t.Errorf("%d warnings, the last %q", len(said), said[len(said)-1])
	}
}

func TestAMachineOfThousandsIsDetectedInLinearTime(t *testing.T) {
	r := &recording{files: map[string]string{"sys/devices/system/cpu/online": "0-2047\n"}}
	s := r.extract(t)
	start := time.Now()
	info := s.Info()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("detection took %v", took)
	}
	if info.Workers.N != 2048 || len(info.Pins) != 2048 {
		t.Errorf("%d workers, %d pins", info.Workers.N, len(info.Pins))
	}
}
