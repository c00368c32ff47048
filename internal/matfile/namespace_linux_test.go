package matfile

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inNamespace runs the calling test once more in a process with its own
// mounts, as the user uid of its own user namespace: 0 may mount and is above
// permissions there, any other is not. It returns true in that process, whose
// current directory is empty, and false in this one when that is over.
func inNamespace(t *testing.T, uid int) bool {
	t.Helper()
	if os.Getenv("MATFILE_TEST_NAMESPACE") == t.Name() {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "MATFILE_TEST_NAMESPACE="+t.Name())
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getgid(), Size: 1}},
	}
	switch out, err := cmd.CombinedOutput(); {
	case cmd.ProcessState == nil:
		t.Skipf("no user namespaces here: %v", err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	}
	return false
}

// mount mounts a small tmpfs on the new directory name.
func mount(t *testing.T, name, options string) {
	t.Helper()
	if err := os.Mkdir(name, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", name, "tmpfs", 0, options); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
}
