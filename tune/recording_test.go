package tune

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A recording is a machine of testdata/machines: a txtar archive whose comment
// says which public description it was made from. Its sections are
//
//	caches    a line per group of like caches: CPUS INDEX LEVEL TYPE SIZE WAYS LINE SHARED
//	topology  a line per group of processors: CPUS PACKAGE SIBLINGS
//	nodes     a line per NUMA node: NODE TOTAL_KB FREE_KB CPUS
//	env       a line per variable: KEY=VALUE
//	system    what is not in files: affinity, cpuid, rlimit_as, dev_shm
//	expect    what detection must answer, line by line
//
// and every other section is a file. CPUS is a list that may have strides
// (0-78/2); SHARED and SIBLINGS are such lists, in which {+40} stands for the
// processor in question plus 40. A "-" leaves a file out.
type recording struct {
	name   string
	files  map[string]string
	expect []string
	system System
}

func recordings(t testing.TB) []*recording {
	t.Helper()
	names, err := filepath.Glob("testdata/machines/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no recorded machines: %v", err)
	}
	var all []*recording
	for _, name := range names {
		all = append(all, load(t, name))
	}
	return all
}

func load(t testing.TB, name string) *recording {
	t.Helper()
	archive, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{name: strings.TrimSuffix(filepath.Base(name), ".txtar"), files: make(map[string]string)}
	r.system = System{Getenv: func(string) string { return "" }}
	for name, data := range sections(string(archive)) {
		lines := strings.Split(strings.TrimSpace(data), "\n")
		switch name {
		case "caches":
			r.addCaches(t, lines)
		case "topology":
			r.addTopology(t, lines)
		case "nodes":
			r.addNodes(lines)
		case "env":
			r.addEnv(lines)
		case "system":
			r.addSystem(t, lines)
		case "expect":
			r.expect = lines
		default:
			r.files[name] = data
		}
	}
	return r
}

// sections splits a txtar archive; the comment before the first section is
// dropped.
func sections(archive string) map[string]string {
	files := make(map[string]string)
	marks := regexp.MustCompile(`(?m)^-- (.+) --\n`).FindAllStringSubmatchIndex(archive, -1)
	for i, mark := range marks {
		end := len(archive)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		files[archive[mark[2]:mark[3]]] = archive[mark[1]:end]
	}
	return files
}

func (r *recording) addCaches(t testing.TB, lines []string) {
	files := []string{"level", "type", "size", "ways_of_associativity", "coherency_line_size", "shared_cpu_list"}
	for _, line := range lines {
		f := strings.Fields(line)
		for _, cpu := range cpuList(t, f[0]) {
			for i, name := range files {
				r.add(t, fmt.Sprintf("sys/devices/system/cpu/cpu%d/cache/index%s/%s", cpu, f[1], name), f[i+2], cpu)
			}
		}
	}
}

func (r *recording) addTopology(t testing.TB, lines []string) {
	for _, line := range lines {
		f := strings.Fields(line)
		for _, cpu := range cpuList(t, f[0]) {
			dir := fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/", cpu)
			r.add(t, dir+"physical_package_id", f[1], cpu)
			r.add(t, dir+"thread_siblings_list", f[2], cpu)
		}
	}
}

func (r *recording) addNodes(lines []string) {
	var ids []string
	for _, line := range lines {
		f := strings.Fields(line)
		ids = append(ids, f[0])
		dir := "sys/devices/system/node/node" + f[0]
		r.files[dir+"/meminfo"] = fmt.Sprintf("Node %s MemTotal: %s kB\nNode %s MemFree: %s kB\n", f[0], f[1], f[0], f[2])
		r.files[dir+"/cpulist"] = strings.Join(f[3:], "") + "\n"
	}
	r.files["sys/devices/system/node/online"] = strings.Join(ids, ",") + "\n"
}

func (r *recording) addEnv(lines []string) {
	env := make(map[string]string)
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		env[key] = value
	}
	r.system.Getenv = func(key string) string { return env[key] }
}

func (r *recording) addSystem(t testing.TB, lines []string) {
	for _, line := range lines {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "affinity":
			cpus := cpuList(t, value)
			r.system.Affinity = func() ([]int, error) { return cpus, nil }
		case "cpuid":
			var id CPUID
			if err := json.Unmarshal([]byte(value), &id); err != nil {
				t.Fatal(err)
			}
			r.system.CPUID = func() CPUID { return id }
		case "rlimit_as":
			limit, err := strconv.ParseInt(value, 10, 64)
			r.system.AddressSpace = func() (int64, error) { return limit, err }
		case "dev_shm":
			free, err := strconv.ParseInt(value, 10, 64)
			r.system.SharedMemory = func() (int64, error) { return free, err }
		default:
			t.Fatalf("%s: unknown line %q", r.name, line)
		}
	}
}

var relative = regexp.MustCompile(`\{([+-]?\d*)\}`)

// add writes one value for one processor into the tree.
func (r *recording) add(t testing.TB, name, value string, cpu int) {
	if value == "-" {
		return
	}
	value = relative.ReplaceAllStringFunc(value, func(s string) string {
		n, _ := strconv.Atoi(strings.Trim(s, "{}"))
		return strconv.Itoa(cpu + n)
	})
	if strings.Contains(value, "/") {
		value = FormatCPUs(cpuList(t, value))
	}
	r.files[name] = value + "\n"
}

// cpuList reads a list with strides.
func cpuList(t testing.TB, s string) []int {
	t.Helper()
	var cpus []int
	for part := range strings.SplitSeq(s, ",") {
		part, step, _ := strings.Cut(part, "/")
		stride := 1
		if step != "" {
			stride, _ = strconv.Atoi(step)
		}
		list, err := parseCPUList(part)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(list); i += stride {
			cpus = append(cpus, list[i])
		}
	}
	return cpus
}

// extract writes the tree below a new directory and returns a System there.
func (r *recording) extract(t testing.TB) System {
	t.Helper()
	s := r.system
	s.Root = memoryDir(t)
	made := make(map[string]bool)
	for name, data := range r.files {
		path := filepath.Join(s.Root, name)
		if dir := filepath.Dir(path); !made[dir] {
			made[dir] = true
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// memoryDir returns a directory in memory where there is one: thousands of tiny
// files take a disk's file system seconds.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "matmul-tune-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
