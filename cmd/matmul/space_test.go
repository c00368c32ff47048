package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A tightRun is a run on a machine that has little of something.
type tightRun struct {
	what  string
	step  int64  // bytes
	steps int    // more than are needed for the job to succeed
	mount string // where a tmpfs of the size is mounted, "" for none
	group bool   // whether a control group may take no more memory than the size
	args  []string
}

var tightRuns = []tightRun{
	{"disk of the output", 64 << 10, 49, "out", false, []string{"--segment", "memfd"}},
	{"disk of output and segment", 64 << 10, 200, "out", false, []string{"--segment", "file"}},
	{"/dev/shm", 64 << 10, 160, "/dev/shm", false, []string{"--segment", "posix"}},
	{"memory", 1 << 20, 64, "", true, []string{"--segment", "memfd"}},
}

// TestTooLittleOfEverything runs with each size of disk, of /dev/shm and of a
// control group's memory, from almost nothing to enough: status 5 with the sum
// and nothing changed, or the right answer. Where not even Go's runtime can
// start, the kernel may kill it.
func TestTooLittleOfEverything(t *testing.T) {
	for _, what := range []string{"mounts", "cgroup"} {
		if can, err := condition(what); err != nil || !can {
			if campaign {
				t.Fatalf("no %s can be made here: run this campaign as root, in a system with control groups", what)
			}
			t.Skipf("no %s can be made here", what)
		}
	}
	dir := operands(t, 600)
	runCommand(t, dir, "run", "a.npy", "b.npy", "-o", "c.npy", "--workers", "1")
	want := sum(t, filepath.Join(dir, "c.npy"))
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tight := range tightRuns {
		if tight.group && raceDetector {
			continue
		}
		refused, killed, done := 0, 0, 0
		for i := range tight.steps {
			size := max(4096, int64(i)*tight.step) // a tmpfs of size 0 has no bound
			if !campaign && i%8 != 0 && i != tight.steps-1 {
				continue
			}
			switch tight.run(t, dir, size, want) {
			case exitResource:
				refused++
			case exitDone:
				done++
			default:
				killed++
			}
		}
		t.Logf("%s: sizes from 0 to %d in steps of %d: %d refused with the sum, %d done with the SHA-256 %s, %d killed before they began",
			tight.what, int64(tight.steps-1)*tight.step, tight.step, refused, done, want, killed)
		if refused == 0 || done == 0 {
			t.Errorf("%s: %d refused, %d done: this shows nothing", tight.what, refused, done)
		}
	}
}

// run runs with so many bytes, and returns the exit status.
func (tight tightRun) run(t *testing.T, dir string, size int64, want string) int {
	t.Helper()
	// The shell stays, to look at the mount that only it and the command see.
	script, join := "set -e; ", ""
	if tight.mount != "" {
		script += fmt.Sprintf("mount -t tmpfs -o size=%d none %s; ", size, tight.mount)
	}
	if tight.group {
		group, err := newMemoryGroup(fmt.Sprint(size))
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(group)
		join = fmt.Sprintf("echo $$ > %s/cgroup.procs; ", group)
	}
	script += `printf old > out/c.npy; set +e; sh -c '` + join + `exec "$@"' sh "$@"; code=$?; ls -A out; sha256sum < out/c.npy; exit $code`
	run := command(dir, append([]string{"run", "a.npy", "b.npy", "-o", "out/c.npy", "--force", "--workers", "1"}, tight.args...)...)
	cmd := exec.Command("sh", append([]string{"-c", script, "sh", run.Path}, run.Args[1:]...)...)
	cmd.Dir, cmd.SysProcAttr = dir, run.SysProcAttr
	cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	r := startWith(t, cmd, (*exec.Cmd).Start)
	code := r.wait()
	r.left(testPatience)
	lines := strings.Split(strings.TrimSuffix(r.stdout.String(), "\n"), "\n")
	complain := func(what string) {
		t.Helper()
		t.Errorf("%s of %d bytes: %s: exit status %d\n%s\n%s", tight.what, size, what, code, r.stdout.String(), r.stderr.String())
	}
	if len(lines) < 2 || lines[len(lines)-2] != "c.npy" {
		complain("there is something else than c.npy")
		return code
	}
	const old = "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4" // of "old"
	got, _, _ := strings.Cut(lines[len(lines)-1], " ")
	said := r.stderr.String()
	switch {
	case code == exitDone && got != want:
		complain("C is wrong")
	case code == exitDone:
	case got != old:
		complain("the old output has changed")
	case code == exitResource && (strings.Count(said, "\n") != 1 || !strings.Contains(said, ": the job needs ")):
		complain("the sum is not shown")
	case code == exitResource:
	case code == 128+int(syscall.SIGKILL) && tight.group && size < 24<<20:
	default:
		complain("neither refused nor done")
	}
	return code
}
