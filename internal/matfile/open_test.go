package matfile

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOpenSaysWhichFileCannotBeRead(t *testing.T) {
	t.Chdir(t.TempDir())
	content := npyBytes(1, good, strings.Repeat("x", 96))
	put(t, "plain", nil)
	put(t, "short.npy", content[:len(content)-1])
	put(t, "long.npy", append(content, 0))
	put(t, "huge.npy", shaped("(1000000000000000000, 1)"))
	put(t, "bad\nname.npy", nil)
	for _, err := range []error{os.Mkdir("dir", 0o755), os.Symlink("nothing", "dangling"), os.Symlink("loop", "loop"), syscall.Mkfifo("pipe", 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for _, c := range []struct{ path, want string }{
		{"", "the file name is empty: want the path of an .npy file"},
		{"missing.npy", "missing.npy: does not exist"},
		{"dir", "dir: is a directory: want a regular file"},
		{"pipe", "pipe: is a pipe: want a regular file"},
		{"socket", "socket: is a socket: want a regular file"},
		{"/dev/null", "/dev/null: is a device: want a regular file"},
		{"dangling", "dangling: does not exist"},
		{"loop", "loop: cannot be opened: too many levels of symbolic links"},
		{"plain/A.npy", "plain/A.npy: cannot be opened: not a directory"},
		{"plain", "plain: is empty: want an .npy file"},
		{"bad\nname.npy", `"bad\nname.npy": is empty: want an .npy file`},
		{strings.Repeat("n", 300), strings.Repeat("n", 300) + ": cannot be opened: file name too long"},
		{"nul\x00", `"nul\x00": cannot be opened: invalid argument`},
		{"short.npy", "short.npy: is truncated: it has 165 bytes: want 166 (70 of header, then (3, 4) of float64); write or copy it again"},
		{"long.npy", "long.npy: goes on after its matrix: it has 167 bytes: want 166 (70 of header, then (3, 4) of float64); cut it, or save each array to its own file"},
		{"huge.npy", "huge.npy: is truncated: it has 88 bytes: want 8000000000000000088 (88 of header, then (1000000000000000000, 1) of float64); write or copy it again"},
	} {
		f, err := Open(c.path)
		if f != nil {
			t.Errorf("%q: got a file beside %v", c.path, err)
		}
		wantMessage(t, err, c.want)
	}
}

func TestOpenRefusesWhatNumPyWroteOfOtherTypes(t *testing.T) {
	for _, path := range fixtures(t, "refused") {
		_, err := Open(path)
		oneLine(t, err, path+": ")
	}
}

func TestOpenRefusesAFileTruncatedAtAnyByte(t *testing.T) {
	t.Chdir(t.TempDir())
	content := npyBytes(3, good, strings.Repeat("x", 96))
	for n := range content {
		put(t, "A.npy", content[:n])
		_, err := Open("A.npy")
		oneLine(t, err, "A.npy: ")
	}
}

func TestOpenLeavesNoDescriptorBehind(t *testing.T) {
	count := func() int { return len(list(t, "/proc/self/fd")) }
	before := count()
	for range 3 {
		for _, path := range append(fixtures(t, "refused"), "testdata", "missing") {
			if _, err := Open(path); err == nil {
				t.Errorf("%s was opened", path)
			}
		}
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors became %d", before, after)
	}
}

// TestWhatCannotBeUsedIsNotWaitedFor looks at a file that was just written to.
func TestWhatCannotBeUsedIsNotWaitedFor(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/A.npy")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unusable := errors.New("cannot be used")
	for _, c := range []struct {
		name        string
		first, want error
		again       bool
	}{
		{"what cannot be used", unusable, unusable, false},
		{"what can", nil, nil, true},
		{"what takes work to tell", errFresh, nil, true},
	} {
		for begin := time.Now(); ; {
			looks, fresh, was := 0, false, false
			if _, err := f.WriteAt([]byte{1}, 0); err != nil {
				t.Fatal(err)
			}
			_, err := settled("A.npy", f, func(_ fs.FileInfo, now bool) (*File, error) {
				looks, fresh, was = looks+1, now, was || now
				if now {
					return nil, c.first
				}
				return nil, c.want
			})
			if again := looks > 1; err != c.want || again != (c.again && was) || again && fresh {
				t.Fatalf("%s: %d looks, fresh in one of them: %v, in the last: %v, error %v", c.name, looks, was, fresh, err)
			}
			if was {
				break
			}
			if time.Since(begin) > time.Minute {
				t.Fatalf("%s: a file is never fresh", c.name)
			}
		}
	}
}

func TestChangedNoticesWhatHappensToAnInput(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func() error
		want   string
	}{
		{"nothing", func() error { return nil }, ""},
		{"a truncation", func() error { return os.Truncate("A.npy", 100) }, "truncated"},
		{"a longer file", func() error { return os.Truncate("A.npy", 1000) }, "extended"},
		{"a rewrite", func() error { return os.Chtimes("A.npy", time.Time{}, time.Unix(1e9, 0)) }, "modified"},
		{"a rewrite that hides", func() error { return rewriteHidden("A.npy") }, "modified or moved"},
		{"a removal", func() error { return os.Remove("A.npy") }, "removed"},
		{"another file of that name", func() error {
			return os.Rename("B.npy", "A.npy")
		}, "replaced by another file"},
		{"another file under the link", func() error {
			if err := os.Remove("link"); err != nil {
				return err
			}
			return os.Symlink("B.npy", "link")
		}, "replaced by another file"},
		{"a missing link", func() error { return os.Remove("link") }, "removed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			put(t, "A.npy", npyBytes(1, good, strings.Repeat("x", 96)))
			put(t, "B.npy", npyBytes(1, good, strings.Repeat("y", 96)))
			if err := os.Symlink("A.npy", "link"); err != nil {
				t.Fatal(err)
			}
			f := open(t, "link")
			time.Sleep(20 * time.Millisecond) // older kernels' times move by ticks
			if err := c.change(); err != nil {
				t.Fatal(err)
			}
			err := f.Changed()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantMessage(t, err, "link: was "+c.want+" while it was in use; run again when nothing writes to it")
		})
	}
}

// rewriteHidden changes a byte and puts the times back, as far as one can.
func rewriteHidden(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{1}, 100); err != nil {
		return err
	}
	return os.Chtimes(path, time.Time{}, st.ModTime())
}
