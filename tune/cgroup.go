package tune

import (
	"path"
	"slices"
	"strings"
)

// cgroups are the control groups that limit this process: the directory of its
// own group first, then those of all ancestors that are visible here. A limit
// of any of them binds. See cgroups(7).
type cgroups struct {
	v2     []string // the unified hierarchy
	cpu    []string // the hierarchy of cgroup v1 that has the cpu controller
	memory []string // the same for memory
}

// Bounds of what is followed: ancestors of a group, and mounts of a hierarchy.
const (
	maxDepth  = 128
	maxMounts = 64
)

// cgroups finds the groups of this process. In hybrid mode both versions are
// mounted, each with some of the controllers, so that both are always looked
// at: a group without a controller has no file for it.
func (t *tree) cgroups() cgroups {
	paths := t.memberships()
	mounts := t.cgroupMounts()
	dirs := func(controller string) []string {
		own, ok := paths[controller]
		if !ok {
			return nil
		}
		return t.groupDirs(own, mounts[controller])
	}
	return cgroups{v2: dirs(unified), cpu: dirs("cpu"), memory: dirs("memory")}
}

// unified is the key of cgroup v2 where those of v1 have a controller's name.
const unified = ""

// memberships reads the group of this process in each hierarchy, by controller.
// Lines are ID:CONTROLLERS:PATH, with no controllers for version 2; the path
// may itself contain colons.
func (t *tree) memberships() map[string]string {
	paths := make(map[string]string)
	for _, line := range t.lines("/proc/self/cgroup", maxTable) {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 || !strings.HasPrefix(fields[2], "/") || strings.Count(fields[2], "/") > maxDepth {
			if line != "" {
				t.warn("/proc/self/cgroup says %s: ignored", quote(line))
			}
			continue
		}
		// A group that was removed under the process still limits it through
		// its ancestors.
		own := strings.TrimSuffix(fields[2], " (deleted)")
		for controller := range strings.SplitSeq(fields[1], ",") {
			paths[controller] = own
		}
	}
	return paths
}

// A mount is a place where a hierarchy, or the part of it below root, can be
// seen.
type mount struct{ root, point string }

// cgroupMounts reads where hierarchies are mounted, by controller. The format
// is that of proc_pid_mountinfo(5):
//
//	31 23 0:28 /root /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
func (t *tree) cgroupMounts() map[string][]mount {
	mounts := make(map[string][]mount)
	lines := t.lines("/proc/self/mountinfo", maxTable)
	bad := 0
	for _, line := range lines {
		before, after, ok := strings.Cut(line, " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(place) < 6 || len(kind) < 3 {
			bad++
			continue
		}
		at := mount{root: unescape(place[3]), point: unescape(place[4])}
		for _, controller := range controllers(kind[0], kind[2]) {
			if len(mounts[controller]) < maxMounts {
				mounts[controller] = append(mounts[controller], at)
			}
		}
	}
	if bad > 0 {
		t.warn("/proc/self/mountinfo has %d lines that are no mounts: ignored", bad)
	}
	return mounts
}

// controllers returns the keys of a mounted file system: cgroup v1 names its
// controllers among the options of the hierarchy.
func controllers(fstype, options string) []string {
	switch fstype {
	case "cgroup2":
		return []string{unified}
	case "cgroup":
		return slices.DeleteFunc(strings.Split(options, ","), func(s string) bool { return s == unified })
	}
	return nil
}

// unescape undoes mountinfo's octal escapes of space, tab, newline, backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// groupDirs returns the directories of the group own and of its ancestors, as
// far up as any mount shows them.
func (t *tree) groupDirs(own string, mounts []mount) []string {
	mounts = slices.Clone(mounts)
	// The shorter the root, the more ancestors are visible.
	slices.SortStableFunc(mounts, func(a, b mount) int { return len(a.root) - len(b.root) })
	var hidden []string
	for _, at := range mounts {
		rel, ok := below(own, at.root)
		if ok && t.exists(path.Join(at.point, rel)) {
			return ancestors(at.point, rel)
		}
		if ok && hidden == nil {
			hidden = ancestors(at.point, rel)
		}
	}
	if hidden != nil {
		// The group was removed, or something is mounted over it. Its ancestors
		// may still be there.
		return hidden
	}
	return t.strayDirs(own, mounts)
}

// strayDirs is groupDirs for a process whose group lies outside of what is
// mounted: it was moved into a container's tree, or lives in another cgroup
// namespace. Whatever of its path is found below a mount, else the mount's own
// root, is the best guess: JDK-8343191 tells of containers where it is right.
func (t *tree) strayDirs(own string, mounts []mount) []string {
	for _, at := range mounts {
		for rel := own; rel != ""; rel = tail(rel) {
			if !climbs(rel) && rel != "/" && t.exists(path.Join(at.point, rel)) {
				return ancestors(at.point, rel)
			}
		}
	}
	if len(mounts) > 0 {
		return ancestors(mounts[0].point, "")
	}
	return nil
}

// tail drops the first element of a path that starts with a slash.
func tail(p string) string {
	if i := strings.IndexByte(p[1:], '/'); i >= 0 {
		return p[1+i:]
	}
	return ""
}

// below returns own relative to root, if it is root or below it.
func below(own, root string) (string, bool) {
	if root == "/" {
		return own, !climbs(own)
	}
	rel, ok := strings.CutPrefix(own, root)
	return rel, ok && (rel == "" || rel[0] == '/') && !climbs(rel)
}

// climbs reports whether a path leaves the cgroup namespace, as the kernel
// shows groups outside of it: /../sibling.
func climbs(p string) bool { return slices.Contains(strings.Split(p, "/"), "..") }

// ancestors returns point/rel and every directory above it up to point.
func ancestors(point, rel string) []string {
	point = path.Clean("/" + point)
	dir := path.Join(point, rel)
	dirs := []string{dir}
	for dir != point && len(dirs) < maxDepth {
		dir = path.Dir(dir)
		dirs = append(dirs, dir)
	}
	return dirs
}
