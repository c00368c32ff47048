package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"matmul"
	"matmul/internal/ipc"
	"matmul/internal/sys/inject"
)

// quickExit keeps programs that are built with the race detector from sleeping
// for a second before they end.
const quickExit = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	inject.Main() // a command whose calls are made to fail is this program,
	matmul.Main() // and so are the workers
	ipc.Main()
	os.Setenv("GORACE", quickExit)
	if filepath.Base(os.Args[0]) != "matmul" { // not the command itself, which scripts give a place
		os.Setenv("XDG_CONFIG_HOME", "/dev/null") // no profiles of who runs the tests
	}
	testscript.Main(m, map[string]func(){"matmul": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Condition:           condition,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", quickExit)
			return os.Symlink(examples(t), e.WorkDir+"/examples")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails":      fails,
			"json":       jsonFields,
			"npy":        writeNpy,
			"values":     checkValues,
			"flip":       flip,
			"truncate":   truncate,
			"limit":      limit,
			"quota":      quota,
			"unfinished": unfinished,
		},
	})
}

// condition answers the questions that scripts ask about the machine.
func condition(name string) (bool, error) {
	switch name {
	case "race": // programs have the race detector, and C, in them
		return raceDetector, nil
	case "root":
		return os.Geteuid() == 0, nil
	case "mounts": // own mounts, and a System V namespace, can be had
		return exec.Command("unshare", "-m", "-i", "mount", "-t", "tmpfs", "none", "/mnt").Run() == nil, nil
	case "ext4": // a disk in a file can be had
		dir, err := os.MkdirTemp("", "matmul-ext4-")
		if err != nil {
			return false, err
		}
		defer os.RemoveAll(dir)
		cmd := exec.Command("unshare", "-m", "sh", "-c", "truncate -s 8M image && mkfs.ext4 -q image && mount -o loop image /mnt")
		cmd.Dir = dir
		return cmd.Run() == nil, nil
	case "quota": // a quota of processor time, in the group of the memory limit or one of its own
		if dir, err := newMemoryGroup("1000M"); err == nil {
			err = os.WriteFile(filepath.Join(dir, "cpu.max"), []byte("50000 100000"), 0)
			os.Remove(dir)
			if err == nil {
				return true, nil
			}
		}
		dir, err := newQuotaGroup("50000")
		if err == nil {
			os.Remove(dir)
		}
		return err == nil, nil
	case "cgroup": // a memory limit can be set
		dir, err := newMemoryGroup("1000M")
		if err == nil {
			os.Remove(dir)
		}
		return err == nil, nil
	}
	return false, nil
}
