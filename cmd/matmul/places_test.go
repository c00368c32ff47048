package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"matmul/internal/sys/inject"
)

// fakeSlurm puts stand-ins for srun and scontrol into a directory: srun starts a
// task as Slurm does from 22.05 on, bound to one processor unless it is told
// --cpus-per-task, and passes USR1 on; scontrol notes what it was told.
func fakeSlurm(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	matmul, err := exec.LookPath("matmul")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"srun": `#!/bin/bash
case $1 in
--cpus-per-task=*) export SLURM_CPUS_PER_TASK=${1#*=}; shift ;;
*) bind="taskset -c $(taskset -cp $$ | sed 's/.*[: ]\([0-9]*\).*/\1/')" ;;
esac
export SLURM_STEP_ID=0 SLURM_STEP_TASKS_PER_NODE=1
$bind "$@" &
task=$!
trap 'kill -USR1 $task' USR1
while wait $task; status=$?; [ $status -eq 138 ]; do :; done
exit $status
`,
		"scontrol": "#!/bin/sh\necho \"$@\" >> scontrol.log\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(matmul, filepath.Join(dir, "matmul")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// slurmJob prepares a script of the examples as a batch job.
func slurmJob(t *testing.T, fake, dir, script string, env ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs("../../examples/slurm/" + script)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", path)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "PATH="+fake+":"+os.Getenv("PATH"), "SLURM_JOB_ID=17", "SLURM_CPUS_PER_TASK=2", "SLURM_JOB_CPUS_PER_NODE=2")
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// TestASlurmJobIsSavedAtTheSignalQueuedAgainAndEnds runs the example job with
// USR1 to its script alone until it is done.
func TestASlurmJobIsSavedAtTheSignalQueuedAgainAndEnds(t *testing.T) {
	fake, dir := fakeSlurm(t), operands(t, 1200)
	rename := func(from, to string) {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	rename("a.npy", "A.npy")
	rename("b.npy", "B.npy")
	runCommand(t, dir, "run", "A.npy", "B.npy", "-o", "want.npy")
	queued := 0
	for run := 0; ; run++ {
		r := startWith(t, slurmJob(t, fake, dir, "job.sh"), (*exec.Cmd).Start)
		if run < 3 {
			// When there are workers, the script, srun and the command heed USR1.
			eventually(t, testPatience, func() string {
				if len(r.ended) == 0 && len(members(r.pid())) < 3+2 {
					return "the workers have not started"
				}
				return ""
			})
			syscall.Kill(r.pid(), syscall.SIGUSR1)
		}
		code := r.wait()
		if strings.Contains(r.stderr.String(), "warning") {
			t.Errorf("a warning, although srun has --cpus-per-task: %s", r.stderr.String())
		}
		if code == exitDone {
			break
		}
		if code != exitResume {
			t.Fatalf("exit status %d: %s", code, r.stderr.String())
		}
		queued++
	}
	log := read(filepath.Join(dir, "scontrol.log"))
	if want := strings.Repeat("requeue 17\n", queued); log != want || queued == 0 {
		t.Errorf("the job was saved %d times, and scontrol was told:\n%s", queued, log)
	}
	if got, want := sum(t, filepath.Join(dir, "C.npy")), sum(t, filepath.Join(dir, "want.npy")); got != want {
		t.Errorf("SHA-256 %s, want %s", got, want)
	}
	t.Logf("saved and queued again %d times", queued)
}

func TestASlurmArrayLeavesWhatIsThereAlone(t *testing.T) {
	fake, dir := fakeSlurm(t), operands(t, 100)
	for _, name := range []string{"A0.npy", "B.npy"} {
		if err := os.Link(filepath.Join(dir, "a.npy"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		r := startWith(t, slurmJob(t, fake, dir, "array.sh", "SLURM_ARRAY_TASK_ID=0"), (*exec.Cmd).Start)
		if code := r.wait(); code != exitDone {
			t.Fatalf("exit status %d: %s", code, r.stderr.String())
		}
		if !exists(filepath.Join(dir, "C0.npy")) {
			t.Fatal("there is no C0.npy")
		}
	}
}

// TestATaskThatSrunGaveOneProcessorOfManySaysSo leaves --cpus-per-task out.
func TestATaskThatSrunGaveOneProcessorOfManySaysSo(t *testing.T) {
	fake, dir := fakeSlurm(t), operands(t, 100)
	cmd := exec.Command(filepath.Join(fake, "srun"), "matmul", "run", "a.npy", "b.npy", "-o", "c.npy")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "PATH="+fake+":"+os.Getenv("PATH"), "SLURM_CPUS_PER_TASK=64")
	r := startWith(t, cmd, (*exec.Cmd).Start)
	if code := r.wait(); code != exitDone {
		t.Fatalf("exit status %d: %s", code, r.stderr.String())
	}
	const want = "matmul: warning: the Slurm job has 64 processors for this task (SLURM_CPUS_PER_TASK), and srun lets it use 1: pass --cpus-per-task=64 to srun, or export SRUN_CPUS_PER_TASK=64\n"
	if got := r.stderr.String(); got != want {
		t.Errorf("standard error is %q, want %q", got, want)
	}
}

// TestTwoCommandsDoNotPinWorkersOntoTheSameCores keeps one command at work while
// a second one looks, and runs.
func TestTwoCommandsDoNotPinWorkersOntoTheSameCores(t *testing.T) {
	if err := exec.Command("unshare", "-n", "true").Run(); err != nil {
		t.Skip("no network namespace of its own, in which no other test claims cores")
	}
	dir := operands(t, 1500)
	// The first is stopped while the second runs: it holds its claims, and its
	// workers wait. That it has a child says that it has its claims: nothing else
	// may start one, as an expansion in its own command line would.
	script := `
workers=$(nproc)
matmul run a.npy b.npy -o first.npy --workers "$workers" --isa generic --json > first.json &
first=$!
until pgrep -P $first > /dev/null; do sleep 0.01; done
kill -STOP $first
matmul info > info.txt
matmul run a.npy b.npy -o second.npy --workers "$workers" --json > second.json
kill -CONT $first
wait $first
matmul run a.npy b.npy -o third.npy --workers "$workers" --json > third.json
`
	cmd := exec.Command("unshare", "-n", "bash", "-ec", script)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	r := startWith(t, cmd, (*exec.Cmd).Start)
	if code := r.wait(); code != exitDone {
		t.Fatalf("exit status %d: %s", code, r.stderr.String())
	}
	const says = "another matmul (process "
	if info := read(filepath.Join(dir, "info.txt")); !strings.Contains(info, "\ntaken         "+says) {
		t.Errorf("info does not say that cores are taken:\n%s", info)
	}
	for file, want := range map[string]bool{"first.json": false, "second.json": true, "third.json": false} {
		if got := read(filepath.Join(dir, file)); strings.Contains(got, `"unpinned":"`+says) != want {
			t.Errorf("%s, unpinned %v expected: %s", file, want, got)
		}
	}
}

// withheld are the calls that a sandbox may refuse and that there is a way
// around.
var withheld = map[int]func(args [6]uint64) bool{
	unix.SYS_MEMFD_CREATE:      func([6]uint64) bool { return true },
	unix.SYS_SCHED_SETAFFINITY: func([6]uint64) bool { return true },
	unix.SYS_SCHED_SETATTR:     func([6]uint64) bool { return true },
	unix.SYS_SOCKET:            func([6]uint64) bool { return true },
	unix.SYS_MADVISE:           func(args [6]uint64) bool { return args[2] == madvCollapse },
	unix.SYS_OPENAT: func(args [6]uint64) bool {
		const writes = unix.O_ACCMODE | unix.O_CREAT // of what is there, as in /proc
		return args[2]&unix.O_TMPFILE == unix.O_TMPFILE || args[2]&writes == unix.O_RDWR
	},
}

const madvCollapse = 25 // Linux 6.1

// TestASandboxThatWithholdsWhatItCan refuses each call that the program can do
// without, in the command and in its workers: the product is right, and info
// names what is missing.
func TestASandboxThatWithholdsWhatItCan(t *testing.T) {
	dir := operands(t, 300)
	runCommand(t, dir, "run", "a.npy", "b.npy", "-o", "want.npy")
	sandboxed := func(args ...string) string {
		r := startWith(t, command(dir, args...), func(cmd *exec.Cmd) error {
			_, err := inject.Start(cmd, slices.Collect(maps.Keys(withheld)), func(c inject.Call) syscall.Errno {
				if is, ok := withheld[c.NR]; ok && is(c.Args) {
					return syscall.EPERM
				}
				return 0
			})
			if errors.Is(err, inject.ErrUnavailable) {
				t.Skip(err)
			}
			return err
		})
		if code := r.wait(); code != exitDone {
			t.Fatalf("%s: exit status %d: %s", args[0], code, r.stderr.String())
		}
		return r.stdout.String()
	}
	// SysV is the one kind of segment that takes neither a memfd nor a file
	// without a name.
	sandboxed("run", "a.npy", "b.npy", "-o", "c.npy", "--segment", "sysv", "--workers", "2")
	if got, want := sum(t, filepath.Join(dir, "c.npy")), sum(t, filepath.Join(dir, "want.npy")); got != want {
		t.Errorf("SHA-256 %s, want %s", got, want)
	}
	var info infoReport
	if err := json.Unmarshal([]byte(sandboxed("info", "--json")), &info); err != nil {
		t.Fatal(err)
	}
	if len(info.Abilities) == 0 {
		t.Error("info names nothing that can be done without")
	}
	for _, a := range info.Abilities {
		if a.Works || a.Why == "" || a.Without == "" {
			t.Errorf("info does not say what is done without %s: %+v", a.Name, a)
		}
	}
	for _, s := range info.Segments {
		if want := s.Kind == "sysv"; s.Works != want {
			t.Errorf("segment %s works: %v, want %v", s.Kind, s.Works, want)
		}
	}
	text := sandboxed("info")
	for _, a := range info.Abilities {
		if want := "\ndoes without  " + a.Name + " (" + a.Why + "): " + a.Without + "\n"; !strings.Contains(text, want) {
			t.Errorf("info does not say %q:\n%s", want, text)
		}
	}
}
