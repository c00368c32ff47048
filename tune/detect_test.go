package tune

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestThisMachineIsDetected(t *testing.T) {
	info := Host().Info()
	checkSane(t, "this machine", info)
	if n := len(info.Limits.Affinity); n != runtime.NumCPU() {
		t.Errorf("%d processors in the affinity mask, the runtime says %d", n, runtime.NumCPU())
	}
	if info.Limits.SharedMemory < 0 && len(info.Limits.Warnings) == 0 {
		t.Error("/dev/shm is unknown without a warning")
	}
	text, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	var back Info
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(&back); string(again) != string(text) {
		t.Errorf("JSON does not come back:\n%s\n%s", text, again)
	}
}

func TestProcessorListsAreRead(t *testing.T) {
	for s, want := range map[string]string{
		"0":                    "0",
		"0-3":                  "0-3",
		"5,3,4":                "3-5",
		"0-1,1-2":              "0-2",
		"0, 2":                 "0,2",
		"8191":                 "8191",
		"":                     "error",
		"-":                    "error",
		"-5":                   "error",
		"3-1":                  "error",
		"0-":                   "error",
		"8192":                 "error",
		"0-99999999999":        "error",
		"0x3":                  "error",
		"+1":                   "error",
		"a":                    "error",
		"0-8191,0-8191,0-8191": "error",
	} {
		cpus, err := parseCPUList(s)
		if got := FormatCPUs(cpus); err == nil && got != want || err != nil && want != "error" {
			t.Errorf("%q is %q, %v, not %q", s, got, err, want)
		}
	}
}

func TestProcessorListsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cpus := rapid.SliceOfNDistinct(rapid.IntRange(0, 300), 1, 100, rapid.ID[int]).Draw(t, "cpus")
		slices.Sort(cpus)
		back, err := parseCPUList(FormatCPUs(cpus))
		if err != nil || !slices.Equal(cpus, back) {
			t.Fatalf("%v came back as %v, %v", cpus, back, err)
		}
	})
}

// Kernels around 5.15 end a list with a NUL byte: hwloc's recording
// 128arm-2pa2n8cluster4co has them.
func TestAListMayEndWithNUL(t *testing.T) {
	tr := &tree{root: t.TempDir()}
	restore(t, filepath.Join(tr.root, "list"), "0,4\n\x00")
	if cpus, ok := tr.cpus("/list"); !ok || !slices.Equal(cpus, []int{0, 4}) {
		t.Errorf("read %v, %v, %q", cpus, ok, tr.said())
	}
}

func TestSizesAreRead(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "65536": 65536, "32K": 32 << 10, "32k": 32 << 10, "48KiB": 48 << 10, "1MB": 1 << 20,
		"2g": 2 << 30, "3T": 3 << 40, "7B": 7, "1048576T": 1 << 60,
		"": -1, "K": -1, "-1": -1, "1.5M": -1, "1 M": -1, "1KK": -1, "1iB": -1, "2097152T": -1,
		"99999999999999999999": -1, "9223372036854775807": -1,
	} {
		got, err := ParseSize(s)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %d, not %d", s, got, want)
		}
	}
}

func TestBytesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 1<<20 - 1: "1.0 MiB",
		5 << 30: "5 GiB", math.MaxInt64: "8 EiB", -2048: "-2 KiB",
	} {
		if got := FormatBytes(n); got != want {
			t.Errorf("%d is %q, not %q", n, got, want)
		}
	}
}

func TestOverridesReplaceTheCachesFound(t *testing.T) {
	m, l := load(t, "testdata/machines/zen-two-ccds.txtar").extract(t).Detect()
	before := l.WorkerCaches(m, 16)
	changed := m.Override(CacheSizes{L1: 48 << 10, L3: 96 << 20})
	if got, want := l.WorkerCaches(changed, 16), (CacheSizes{48 << 10, 1 << 20, 12 << 20}); got != want {
		t.Errorf("16 workers have %+v, not %+v", got, want)
	}
	if after := l.WorkerCaches(m, 16); after != before {
		t.Errorf("the machine itself changed from %+v to %+v", before, after)
	}
	a64fx, l := load(t, "testdata/machines/arm-a64fx.txtar").extract(t).Detect()
	if got := a64fx.Override(CacheSizes{L3: 48 << 20}); l.WorkerCaches(got, 12).L3 != 4<<20 {
		t.Errorf("a level that was added has %+v", l.WorkerCaches(got, 12))
	}
	if a64fx.Line() != 64 || m.Line() != 64 {
		t.Errorf("lines of %d and %d bytes", a64fx.Line(), m.Line())
	}
	if got := m.CacheSizes(31); got != (CacheSizes{32 << 10, 1 << 20, 32 << 20}) {
		t.Errorf("above processor 31 are %+v", got)
	}
}

func TestPinsAreDistinctAndSpreadOverCores(t *testing.T) {
	var machines []*Machine
	for _, name := range []string{"intel-snc", "zen-epyc-7451", "hybrid-desktop", "slurm-job"} {
		machines = append(machines, load(t, "testdata/machines/"+name+".txtar").extract(t).Machine())
	}
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(machines).Draw(t, "machine")
		mask := rapid.SliceOfNDistinct(rapid.IntRange(0, len(m.CPUs)+3), 1, len(m.CPUs), rapid.ID[int]).Draw(t, "mask")
		slices.Sort(mask)
		l := &Limits{Affinity: mask}
		n := rapid.IntRange(1, len(mask)+1).Draw(t, "workers")
		pins := l.Pins(m, n)
		if n > len(mask) {
			if pins != nil {
				t.Fatalf("%d workers on %v are pinned to %v", n, mask, pins)
			}
			return
		}
		sorted := slices.Sorted(slices.Values(pins))
		if len(slices.Compact(sorted)) != n || len(within(sorted, mask)) != n {
			t.Fatalf("%d workers on %v are pinned to %v", n, mask, pins)
		}
		if most := mostOnOneCore(m, pins); most > 1 && n <= l.Workers(m).N {
			t.Fatalf("%d workers on %v are pinned to %v: %d on one core", n, mask, pins, most)
		}
	})
}

func mostOnOneCore(m *Machine, pins []int) int {
	most := 0
	for _, core := range m.Cores {
		most = max(most, len(within(core.CPUs, slices.Sorted(slices.Values(pins)))))
	}
	return most
}

func TestMoreWorkersThanProcessorsShareTheCaches(t *testing.T) {
	m, l := load(t, "testdata/machines/slurm-job.txtar").extract(t).Detect()
	if got, want := l.WorkerCaches(m, 12), (CacheSizes{8 << 10, 256 << 10, 32 << 20 / 12}); got != want {
		t.Errorf("12 workers on 6 hardware threads have %+v, not %+v", got, want)
	}
}

func TestProcessorsWithoutACacheDoNotShareTheSmallest(t *testing.T) {
	m := &Machine{Caches: []Cache{
		{Level: 1, Type: Data, Size: 32 << 10, CPUs: []int{0}},
		{Level: 1, Type: Data, Size: 48 << 10, CPUs: []int{1}},
	}}
	if got := m.Share([]int{1, 2, 3}); got.L1 != 32<<10 {
		t.Errorf("processors 2 and 3, of which nothing is known, have %d bytes", got.L1)
	}
}

func TestFunctionsThatFailGiveDefaultsAndWarnings(t *testing.T) {
	broken := errors.New("broken")
	s := load(t, "testdata/machines/laptop-smt.txtar").extract(t)
	s.Affinity = func() ([]int, error) { return nil, broken }
	s.AddressSpace = func() (int64, error) { return 0, broken }
	s.SharedMemory = func() (int64, error) { return 0, broken }
	m, l := s.Detect()
	if !slices.Equal(l.Affinity, m.CPUs) || l.SharedMemory != -1 || len(l.Warnings) != 3 {
		t.Errorf("affinity %v, /dev/shm %d, warnings %q", l.Affinity, l.SharedMemory, l.Warnings)
	}
}

func TestMemoryIsExplainedLineByLine(t *testing.T) {
	_, l := load(t, "testdata/machines/container-ancestor.txtar").extract(t).Detect()
	want := []string{
		"/proc/meminfo MemAvailable: 32 GiB - 12 GiB used = 20 GiB left",
		"cgroup /sys/fs/cgroup/kubepods.slice/kubepods-pod4a.slice/memory.max: 8 GiB - 4 GiB used = 4 GiB left  <- the least",
		"cgroup /sys/fs/cgroup/kubepods.slice/memory.high: 12 GiB - 6 GiB used = 6 GiB left",
	}
	if b := l.Memory(); !slices.Equal(b.Why, want) {
		t.Errorf("explained as\n%s", strings.Join(b.Why, "\n"))
	}
	if b := (&Limits{}).Memory(); b.Bytes != 0 {
		t.Errorf("no limits leave %d bytes", b.Bytes)
	}
}

func TestALimitThatIsExceededLeavesNothing(t *testing.T) {
	l := &Limits{MemoryLimits: []MemoryLimit{{"a", 100, 10}, {"b", 50, 80}}}
	if b := l.Memory(); b.Bytes != 0 || b.Limiter.Source != "b" {
		t.Errorf("%+v", b)
	}
}

func TestHugePageSettingsAreRead(t *testing.T) {
	info := load(t, "testdata/machines/laptop-smt.txtar").extract(t).Info()
	if want := (HugePages{"madvise", "never", 2 << 20}); info.HugePages != want {
		t.Errorf("%+v, not %+v", info.HugePages, want)
	}
}

func TestGroupsAreFoundBelowAnyMount(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/m/a/b", "/m/x", "/n/pod/c"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tr := &tree{root: root}
	for _, c := range []struct {
		what, own string
		mounts    []mount
		want      []string
	}{
		{"the whole hierarchy", "/a/b", []mount{{"/", "/m"}}, []string{"/m/a/b", "/m/a", "/m"}},
		{"a part of it, and its own root", "/p/q", []mount{{"/p/q", "/m"}}, []string{"/m"}},
		{"below a part of it", "/p/q/a/b", []mount{{"/p/q", "/m"}}, []string{"/m/a/b", "/m/a", "/m"}},
		{"a root that is a prefix of a name alone", "/pod2/c", []mount{{"/pod", "/n"}}, []string{"/n"}},
		{"two mounts: the one that shows more", "/pod/c", []mount{{"/pod", "/m"}, {"/", "/n"}}, []string{"/n/pod/c", "/n/pod", "/n"}},
		{"a group that is gone", "/a/gone", []mount{{"/", "/m"}}, []string{"/m/a/gone", "/m/a", "/m"}},
		{"a cgroup namespace", "/", []mount{{"/", "/m"}}, []string{"/m"}},
		{"outside of the namespace", "/../x", []mount{{"/", "/m"}}, []string{"/m/x", "/m"}},
		{"a mount from outside of the namespace", "/", []mount{{"/../..", "/m"}}, []string{"/m"}},
		{"a path of the host in a container", "/host/pod/c", []mount{{"/other", "/n"}}, []string{"/n/pod/c", "/n/pod", "/n"}},
		{"moved into a container", "/test", []mount{{"/docker/1", "/m"}}, []string{"/m"}},
		{"no mount at all", "/a", nil, nil},
	} {
		if got := tr.groupDirs(c.own, c.mounts); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", c.what, got, c.want)
		}
	}
}

// FuzzControlGroups feeds the two tables that say where limits are.
func FuzzControlGroups(f *testing.F) {
	all := everyFile()
	f.Add(all.files["proc/self/cgroup"], all.files["proc/self/mountinfo"])
	f.Add("0::/../a (deleted)\n", `1 0 0:1 /.. /sys/fs\040x rw - cgroup2 a rw`)
	root := memoryDir(f)
	f.Fuzz(func(t *testing.T, membership, mounts string) {
		dir := filepath.Join(root, "proc", "self")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(dir, "cgroup"), []byte(membership), 0o644)
		os.WriteFile(filepath.Join(dir, "mountinfo"), []byte(mounts), 0o644)
		tr := &tree{root: root}
		groups := tr.cgroups()
		for _, path := range slices.Concat(groups.v2, groups.cpu, groups.memory) {
			if !filepath.IsAbs(path) || path != filepath.Clean(path) {
				t.Errorf("group in %q", path)
			}
		}
		groups.cpuLimits(tr)
		groups.memoryLimits(tr)
	})
}

func BenchmarkDetect(b *testing.B) {
	b.Run("this machine", func(b *testing.B) {
		for b.Loop() {
			Host().Detect()
		}
	})
}
