package matfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"matmul/internal/elem"
)

// newPart creates a 2 × 3 part file.
func newPart(t *testing.T, path string, force, takeOver bool) *Output {
	t.Helper()
	o, err := CreatePart(context.Background(), path, 2, 3, elem.Float64, force, takeOver)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAPartFileOutlastsItsProcessAndIsGoneOnWith(t *testing.T) {
	t.Chdir(t.TempDir())
	o := newPart(t, "C.npy", false, false)
	if err := Write(o, []float64{1, 2, 3}, 0); err != nil {
		t.Fatal(err)
	}
	o.Leave()
	if err := o.Commit(); err == nil {
		t.Error("a part file that was left was committed")
	}
	wantNames(t, ".", "C.npy.part")
	_, err := CreatePart(context.Background(), "C.npy", 2, 3, elem.Float64, false, false)
	wantMessage(t, err, "C.npy.part: exists; use --resume to go on with what it holds, or --force to start from the beginning")

	o = newPart(t, "C.npy", false, true)
	if err := Write(o, []float64{4, 5, 6}, 3); err != nil {
		t.Fatal(err)
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	wantNames(t, ".", "C.npy")
	for i, v := range readAll[float64](t, open(t, "C.npy")) {
		if v != float64(i+1) {
			t.Errorf("element %d is %v", i, v)
		}
	}
}

func TestAPartFileOfAnotherSizeIsMadeAnew(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, old := range []string{"", "x", strings.Repeat("x", 5000)} {
		put(t, "C.npy.part", []byte(old))
		o := newPart(t, "C.npy", true, true)
		if err := Write(o, make([]float64, 6), 0); err != nil {
			t.Fatal(err)
		}
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		open(t, "C.npy")
		wantNames(t, ".", "C.npy")
	}
}

func TestWhatIsNoPartFileIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "elsewhere", []byte("precious"))
	for _, c := range []struct {
		make func() error
		want string
	}{
		{func() error { return os.Mkdir("C.npy.part", 0o755) }, "C.npy.part: is a directory"},
		{func() error { return syscall.Mkfifo("C.npy.part", 0o644) }, "C.npy.part: is a pipe: want a part file"},
		{func() error { return os.Symlink("elsewhere", "C.npy.part") }, "C.npy.part: cannot be made: too many levels"},
	} {
		if err := c.make(); err != nil {
			t.Fatal(err)
		}
		_, err := CreatePart(context.Background(), "C.npy", 2, 3, elem.Float64, false, true)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
		wantNames(t, ".", "C.npy.part", "elsewhere")
		if err := os.Remove("C.npy.part"); err != nil {
			t.Fatal(err)
		}
	}
	if string(get(t, "elsewhere")) != "precious" {
		t.Error("a link was followed")
	}
}

// TestAPartFileIsNotTakenWhileItsOldWriterLives has a second descriptor, as a
// worker whose master was killed has one.
func TestAPartFileIsNotTakenWhileItsOldWriterLives(t *testing.T) {
	t.Chdir(t.TempDir())
	o := newPart(t, "C.npy", false, false)
	fd, err := syscall.Dup(int(o.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	o.Leave()
	soon, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := CreatePart(soon, "C.npy", 2, 3, elem.Float64, false, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v while a writer lives", err)
	}
	if err := RemovePart(soon, "C.npy"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("removed while a writer lives: %v", err)
	}
	taken := make(chan error)
	go func() {
		o, err := CreatePart(context.Background(), "C.npy", 2, 3, elem.Float64, false, true)
		if err == nil {
			o.Leave()
		}
		taken <- err
	}()
	syscall.Close(fd)
	if err := <-taken; err != nil {
		t.Error(err)
	}
	if err := RemovePart(context.Background(), "C.npy"); err != nil {
		t.Error(err)
	}
	wantNames(t, ".")
	if err := RemovePart(context.Background(), "C.npy"); err != nil {
		t.Errorf("remove what is not there: %v", err)
	}
}

// TestAPartFileThatIsRenamedUnderTheLockIsNotTaken: its writer finishes while
// another process waits.
func TestAPartFileThatIsRenamedUnderTheLockIsNotTaken(t *testing.T) {
	t.Chdir(t.TempDir())
	first := newPart(t, "C.npy", false, false)
	taken := make(chan *Output)
	go func() {
		o, err := CreatePart(context.Background(), "C.npy", 2, 3, elem.Float64, true, true)
		if err != nil {
			t.Error(err)
		}
		taken <- o
	}()
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	second := <-taken
	if second == nil {
		return
	}
	wantNames(t, ".", "C.npy", "C.npy.part")
	if err := second.Abort(); err != nil {
		t.Error(err)
	}
	open(t, "C.npy")
	wantNames(t, ".", "C.npy")
}

func TestACommitThatFailsKeepsAPartFile(t *testing.T) {
	t.Chdir(t.TempDir())
	fail := func(directory bool) func(*os.File) error {
		return func(f *os.File) error {
			st, err := f.Stat()
			if err == nil && st.IsDir() == directory {
				err = &fs.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO}
			}
			return err
		}
	}
	for _, old := range []bool{false, true} {
		for _, directory := range []bool{false, true} {
			names := []string{"C.npy.part"}
			if old {
				put(t, "C.npy", []byte("old"))
				names = []string{"C.npy", "C.npy.part"}
			}
			o := newPart(t, "C.npy", true, true)
			o.Fsync = fail(directory)
			if err := o.Commit(); !errors.Is(err, syscall.EIO) {
				t.Errorf("got %v", err)
			}
			wantNames(t, ".", names...)
			if old && string(get(t, "C.npy")) != "old" {
				t.Errorf("the old file became %q", get(t, "C.npy"))
			}
			if st, err := os.Stat("C.npy.part"); err != nil || st.Size() != 128+48 {
				t.Errorf("the part file is %v, %v", st, err)
			}
			os.Remove("C.npy")
			os.Remove("C.npy.part")
		}
	}
	// The target came into being meanwhile.
	o := newPart(t, "C.npy", false, false)
	put(t, "C.npy", []byte("somebody else's"))
	wantMessage(t, o.Commit(), "C.npy: exists; use --force to replace it")
	wantNames(t, ".", "C.npy", "C.npy.part")
}

func TestAFailedSyncIsNotRepeated(t *testing.T) {
	t.Chdir(t.TempDir())
	o := newPart(t, "C.npy", false, false)
	defer o.Abort()
	calls, fails := 0, error(nil)
	o.Fsync = func(*os.File) error { calls++; return fails }
	if err := errors.Join(o.Sync(), o.Sync()); err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
	fails = syscall.EIO
	first := o.Sync()
	fails = nil
	if second := o.Sync(); first == nil || second != first || calls != 3 {
		t.Errorf("first %v, then %v after %d calls", first, second, calls)
	}
}

func TestAPartFileInADirectoryThatIsGoneIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("d", 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open("d")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := os.Remove("d"); err != nil {
		t.Fatal(err)
	}
	p := place{dir: dir, name: "C.npy", part: "C.npy.part"}
	_, err = p.lockPart(context.Background(), "d/C.npy.part", true)
	oneLine(t, err, "d/C.npy.part: ")
}
