package matfile

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"matmul/internal/elem"
)

func TestAReadOnlyFileSystemIsRefusedBeforeAnyWork(t *testing.T) {
	if !inNamespace(t, 0) {
		return
	}
	mount(t, "m", "size=256k")
	put(t, "m/old.npy", []byte("old"))
	if err := syscall.Mount("", "m", "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"m/C.npy", "m/old.npy"} {
		want := path + ": its directory is on a read-only file system; choose another place"
		wantMessage(t, CheckOutput(path, true), want)
		_, err := Create(path, 1, 1, elem.Float64, true)
		wantMessage(t, err, want)
	}
	wantNames(t, "m", "old.npy")
}

func TestADirectoryWithoutWritePermissionIsRefusedBeforeAnyWork(t *testing.T) {
	if !inNamespace(t, 1000) {
		return
	}
	for _, mode := range []os.FileMode{0o555, 0o444, 0o666} {
		if err := errors.Join(os.Mkdir("d", 0o755), os.Chmod("d", mode)); err != nil {
			t.Fatal(err)
		}
		const want = "d/C.npy: its directory may not be written; check its permissions, or choose another place"
		wantMessage(t, CheckOutput("d/C.npy", false), want)
		_, err := Create("d/C.npy", 1, 1, elem.Float64, false)
		wantMessage(t, err, want)
		if err := os.Remove("d"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnUnreadableInputIsRefused(t *testing.T) {
	if !inNamespace(t, 1000) {
		return
	}
	put(t, "A.npy", nil)
	if err := os.Chmod("A.npy", 0); err != nil {
		t.Fatal(err)
	}
	_, err := Open("A.npy")
	wantMessage(t, err, "A.npy: may not be read; check its permissions")
}

func TestOnAFullDiskNothingIsLeft(t *testing.T) {
	if !inNamespace(t, 0) {
		return
	}
	mount(t, "m", "size=256k")
	for _, unnamed := range []bool{true, false} {
		_, err := create("m/C.npy", 1, 32768, elem.Float64, false, unnamed)
		const want = "reserve 262272 bytes for m/C.npy: not enough disk space: 262144 bytes are free: no space left on device"
		if !errors.Is(err, ErrNoSpace) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		wantNames(t, "m")
		o, err := create("m/C.npy", 1, 20000, elem.Float64, true, unnamed)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		// The old file stays until the new one is whole, so both must fit.
		if _, err := create("m/C.npy", 1, 20000, elem.Float64, true, unnamed); !errors.Is(err, ErrNoSpace) {
			t.Errorf("got %v", err)
		}
		wantNames(t, "m", "C.npy")
		if err := os.Remove("m/C.npy"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWithoutInodesNothingIsLeft(t *testing.T) {
	if !inNamespace(t, 0) {
		return
	}
	mount(t, "m", "size=256k,nr_inodes=1") // the root directory's
	_, err := Create("m/C.npy", 1, 1, elem.Float64, false)
	if !errors.Is(err, ErrNoSpace) {
		t.Errorf("got %v", err)
	}
	wantNames(t, "m")
}

func TestALimitOfTheFileSizeIsErrNoSpace(t *testing.T) {
	if !inNamespace(t, 0) {
		return
	}
	limit := syscall.Rlimit{Cur: 100 << 10, Max: 100 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	_, err := Create("C.npy", 1, 20000, elem.Float64, false)
	if !errors.Is(err, ErrNoSpace) || !errors.Is(err, syscall.EFBIG) {
		t.Errorf("got %v", err)
	}
	wantNames(t, ".")
}

func TestAStickyDirectoryKeepsOthersFromReplacing(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "C.npy", nil)
	me := os.Getuid()
	file, err := os.Stat("C.npy")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mode os.FileMode
		uid  int
		want bool
	}{{0o777, me + 1, false}, {0o777 | os.ModeSticky, me + 1, true}, {0o777 | os.ModeSticky, me, false}, {0o777 | os.ModeSticky, 0, false}} {
		if err := os.Chmod(".", c.mode); err != nil {
			t.Fatal(err)
		}
		dir, err := os.Stat(".")
		if err != nil || keepsFrom(c.uid, dir, file) != c.want {
			t.Errorf("%v for user %d: want %v, %v", c.mode, c.uid, c.want, err)
		}
	}
}

// Some file systems cannot rename without replacing, or swap two names. None
// of them is here, so what is done there is called directly.

func TestWithoutRenameFlagsANewNameIsLinked(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, exists := range []bool{false, true} {
		o := newOutput(t, "C.npy", true, false)
		err := o.place.addByLink()
		if exists != errors.Is(err, os.ErrExist) || !exists && err != nil {
			t.Errorf("exists=%v: %v", exists, err)
		}
		if exists {
			o.Abort()
		}
		wantNames(t, ".", "C.npy")
	}
	open(t, "C.npy")
}

func TestWithoutRenameFlagsAFileIsRenamedOver(t *testing.T) {
	for _, syncFails := range []bool{false, true} {
		t.Chdir(t.TempDir())
		put(t, "C.npy", []byte("old"))
		o := newOutput(t, "C.npy", true, false)
		if err := o.place.overwrite(); err != nil {
			t.Fatal(err)
		}
		n := naming{p: &o.place, how: overwritten}
		err := n.settle(o.place.syncDir(func(f *os.File) error {
			if syncFails {
				return syscall.EIO
			}
			return f.Sync()
		}))
		if syncFails != errors.Is(err, syscall.EIO) {
			t.Errorf("got %v", err)
		}
		open(t, "C.npy")
		wantNames(t, ".", "C.npy")
	}
}
