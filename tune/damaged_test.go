package tune

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var everyCPU = flag.Bool("every-cpu", false, "damage the files of every processor, not of processor 0 alone")

// damages are what the files of a container or a broken firmware may hold.
var damages = []string{"empty", "one long line", "binary", "negative", "cyclic link"}

// harmless are damages that are no damage to some files: what they say then is
// known to be true of some machine, or decides nothing there.
func harmless(r *recording, name, damage string) bool {
	base := filepath.Base(name)
	switch damage {
	case "empty":
		return base == "cgroup" || base == "cpulist"
	case "negative":
		return base == "physical_package_id" || base == "cpu.cfs_quota_us"
	}
	return false
}

// TestEachFileOfEachRecordedMachineMayBeMalformed wants of every recording,
// whichever file is malformed and how: a machine that makes sense, and a
// warning if the file is read at all.
func TestEachFileOfEachRecordedMachineMayBeMalformed(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && len(r.files) > 400 {
				t.Skip("a large machine: takes seconds")
			}
			s := r.extract(t)
			usual, watched := len(warnings(s)), 0
			for _, name := range files(r) {
				path := filepath.Join(s.Root, name)
				read := isRead(t, s, path)
				if read {
					watched++
				}
				for _, damage := range damages {
					if testing.Short() && damage != "binary" {
						continue
					}
					if err := os.RemoveAll(path); err != nil {
						t.Fatal(err)
					}
					if err := malformations[damage](path); err != nil {
						t.Fatal(err)
					}
					info := s.Info()
					checkSane(t, name+", "+damage, info)
					said := len(info.Machine.Warnings) + len(info.Limits.Warnings)
					if read && said <= usual && !harmless(r, name, damage) {
						t.Errorf("%s, %s: no warning", name, damage)
					}
				}
				restore(t, path, r.files[name])
			}
			if watched < len(r.files)/8 && watched < 8 {
				t.Errorf("only %d of %d files are read", watched, len(r.files))
			}
		})
	}
}

// files lists the files of a recording, of one processor where all have the
// same.
func files(r *recording) (names []string) {
	other := regexp.MustCompile(`/cpu([1-9]|[1-9][0-9]+)/`)
	for name := range r.files {
		if *everyCPU || !other.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func warnings(s System) []string {
	info := s.Info()
	return append(info.Machine.Warnings, info.Limits.Warnings...)
}

// isRead reports whether detection opens a file: whether it complains that it
// cannot be read.
func isRead(t *testing.T, s System, path string) bool {
	t.Helper()
	before := warnings(s)
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(path, s.Root)
	return slices.ContainsFunc(warnings(s), func(w string) bool {
		return strings.Contains(w, name) && !slices.Contains(before, w)
	})
}

// A loop need not be the file itself.
func TestALoopOfDirectoriesIsAWarning(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "sys/devices/system/cpu")
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("cpu", dir); err != nil {
		t.Fatal(err)
	}
	info := System{Root: root}.Info()
	checkSane(t, "a loop", info)
	if said := fmt.Sprint(info.Machine.Warnings); !strings.Contains(said, "too many levels of symbolic links") {
		t.Errorf("warnings %s, want one about links", said)
	}
}
