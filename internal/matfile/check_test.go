package matfile

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestCheckOutputSaysWhatStandsInTheWay(t *testing.T) {
	t.Chdir(t.TempDir())
	in := open(t, writeSomewhere(t))
	put(t, "old.npy", []byte("old"))
	err := errors.Join(os.Mkdir("dir", 0o755), os.Link("in.npy", "hard.npy"), os.Symlink("in.npy", "soft.npy"),
		os.Symlink("nothing", "dangling"), os.Symlink("loop", "loop"), os.Symlink("dir", "todir"),
		os.Symlink("old.npy", "toold"), syscall.Mkfifo("pipe", 0o644))
	if err != nil {
		t.Fatal(err)
	}
	before := list(t, ".")
	for _, c := range []struct {
		path  string
		force string // both if empty
		want  string
	}{
		{"", "", "the output's file name is empty"},
		{"new.npy", "", ""},
		{"dir/new.npy", "", ""},
		{"todir/new.npy", "", ""},
		{"old.npy", "yes", ""},
		{"toold", "yes", ""},
		{"old.npy", "no", "old.npy: exists; use --force to replace it"},
		{"toold", "no", "toold: exists; use --force to replace it"},
		{"in.npy", "", "in.npy: is the same file as the input in.npy; choose another output"},
		{"./dir/../in.npy", "", "./dir/../in.npy: is the same file as the input in.npy; choose another output"},
		{"hard.npy", "", "hard.npy: is the same file as the input in.npy; choose another output"},
		{"soft.npy", "", "soft.npy: is the same file as the input in.npy; choose another output"},
		{"dangling", "", "dangling: is a symbolic link that leads nowhere; remove it, or choose another name"},
		{"loop", "", "loop: is a symbolic link that leads nowhere; remove it, or choose another name"},
		{"dir", "", "dir: is a directory: want a new name or a regular file"},
		{"todir", "", "todir: is a directory: want a new name or a regular file"},
		{"dir/", "", "dir/: names a directory: want the name of a file in it"},
		{"dir/.", "", "dir/.: names a directory: want the name of a file in it"},
		{"..", "", "..: names a directory: want the name of a file in it"},
		{"/", "", "/: names a directory: want the name of a file in it"},
		{"pipe", "", "pipe: is a pipe: want a new name or a regular file"},
		{"/dev/null", "", "/dev/null: is a device: want a new name or a regular file"},
		{"missing/new.npy", "", "missing/new.npy: the directory missing does not exist; make it first"},
		{"a/b/new.npy", "", "a/b/new.npy: the directory a/b does not exist; make it first"},
		{"old.npy/new.npy", "", "old.npy/new.npy: old.npy is not a directory"},
		{"old.npy/x/new.npy", "", "old.npy/x/new.npy: old.npy/x is not a directory"},
		{"new\n.npy/x", "", `"new\n.npy/x": the directory "new\n.npy" does not exist; make it first`},
		{"nul\x00", "", `"nul\x00": cannot be made: invalid argument`},
		{strings.Repeat("n", 256), "", strings.Repeat("n", 256) + ": cannot be made: file name too long"},
	} {
		for _, force := range []bool{false, true} {
			if c.force == "yes" && !force || c.force == "no" && force {
				continue
			}
			err := CheckOutput(c.path, force, nil, in)
			if c.want != "" {
				wantMessage(t, err, c.want)
			} else if err != nil {
				t.Errorf("%s: got %v", c.path, err)
			}
		}
	}
	if after := list(t, "."); !slices.Equal(before, after) {
		t.Errorf("the directory held %q, now %q", before, after)
	}
}

func TestCreateChecksForItself(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "old.npy", []byte("old"))
	_, err := Create("old.npy", 1, 1, 1, false)
	wantMessage(t, err, "old.npy: exists; use --force to replace it")
	_, err = Create("missing/C.npy", 1, 1, 1, true)
	wantMessage(t, err, "missing/C.npy: the directory missing does not exist; make it first")
	wantNames(t, ".", "old.npy")
}

func TestADirectoryThatHoldsNoFilesIsAnError(t *testing.T) {
	for _, unnamed := range []bool{true, false} {
		_, err := create("/proc/C.npy", 1, 1, 1, false, unnamed)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("got %v (%T)", err, err)
		}
	}
}

func TestANameOfTheGreatestLengthCanBeWritten(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		name := strings.Repeat("n", 255)
		for range 2 {
			if err := newOutput(t, name, true, unnamed).Commit(); err != nil {
				t.Fatal(err)
			}
		}
		wantNames(t, ".", name)
	})
}
