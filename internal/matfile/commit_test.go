package matfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"matmul/internal/elem"
)

func TestForceReplacesAndKeepsThePermissions(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		put(t, "C.npy", []byte("old"))
		if err := os.Chmod("C.npy", 0o640); err != nil {
			t.Fatal(err)
		}
		before := open(t, writeSomewhere(t)) // any other file stays
		o := newOutput(t, "C.npy", true, unnamed)
		if string(get(t, "C.npy")) != "old" {
			t.Error("the old file changed before the commit")
		}
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat("C.npy")
		if err != nil || st.Mode() != 0o640 || st.Size() != 128+48 {
			t.Errorf("got %v, %v", st, err)
		}
		if err := before.Changed(); err != nil {
			t.Error(err)
		}
		wantNames(t, ".", "C.npy", "in.npy")
	})
}

// writeSomewhere makes a small valid matrix file in the current directory.
func writeSomewhere(t *testing.T) string {
	put(t, "in.npy", npyBytes(1, good, strings.Repeat("x", 96)))
	return "in.npy"
}

func TestANewFileHasThePermissionsOfTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	eachWay(t, func(t *testing.T, unnamed bool) {
		if err := newOutput(t, "C.npy", true, unnamed).Commit(); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat("C.npy"); err != nil || st.Mode() != 0o640 {
			t.Errorf("got %v, %v", st.Mode(), err)
		}
	})
}

func TestWithoutForceATargetThatAppearsMeanwhileStays(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		o := newOutput(t, "C.npy", false, unnamed)
		put(t, "C.npy", []byte("somebody else's"))
		err := o.Commit()
		wantMessage(t, err, "C.npy: exists; use --force to replace it")
		if !errors.Is(err, fs.ErrExist) || string(get(t, "C.npy")) != "somebody else's" {
			t.Errorf("%v left %q", err, get(t, "C.npy"))
		}
		wantNames(t, ".", "C.npy")
	})
}

func TestOfManyCommitsWithoutForceOneWins(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		for range 20 {
			var won atomic.Int32
			together(8, func(i int) {
				o, err := create("C.npy", 1, int64(i), elem.Float64, false, unnamed)
				if err == nil {
					err = o.Commit()
				}
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, fs.ErrExist) {
					t.Error(err)
				}
			})
			if won.Load() != 1 {
				t.Fatalf("%d won", won.Load())
			}
			wantNames(t, ".", "C.npy")
			if err := os.Remove("C.npy"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestReadersAlwaysSeeAWholeFileWhileManyReplaceIt(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		if err := newOutput(t, "C.npy", true, unnamed).Commit(); err != nil {
			t.Fatal(err)
		}
		together(6, func(i int) {
			for range 20 {
				if i < 3 {
					if f, err := Open("C.npy"); err != nil {
						t.Error(err)
					} else {
						f.Close()
					}
					continue
				}
				o, err := create("C.npy", int64(i), 100, elem.Float32, true, unnamed)
				if err == nil {
					err = o.Commit()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		wantNames(t, ".", "C.npy")
	})
}

func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func TestAFailedFsyncLeavesTheOldFileAndNothingElse(t *testing.T) {
	for _, failing := range []string{"file", "directory"} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s old=%v", failing, old), func(t *testing.T) {
				eachWay(t, func(t *testing.T, unnamed bool) { failSync(t, failing, old, unnamed) })
			})
		}
	}
}

func failSync(t *testing.T, failing string, old, unnamed bool) {
	var names []string
	if old {
		put(t, "C.npy", []byte("old"))
		names = []string{"C.npy"}
	}
	o := newOutput(t, "C.npy", true, unnamed)
	syncs := 0
	o.Fsync = func(f *os.File) error {
		st, err := f.Stat()
		if err != nil {
			return err
		}
		if st.IsDir() == (failing == "directory") {
			syncs++
			return &fs.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO}
		}
		return f.Sync()
	}
	want := "sync C.npy: input/output error"
	if failing == "directory" {
		want = "commit C.npy: sync the directory: input/output error"
	}
	err := o.Commit()
	if err == nil || err.Error() != want || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want %s", err, want)
	}
	if again := o.Commit(); again == nil || syncs != 1 {
		t.Errorf("a second commit: %v after %d syncs", again, syncs)
	}
	wantNames(t, ".", names...)
	if old && string(get(t, "C.npy")) != "old" {
		t.Errorf("the old file became %q", get(t, "C.npy"))
	}
}

func TestCommitLeavesADirectoryThatTookTheName(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		o := newOutput(t, "C.npy", true, unnamed)
		if err := os.Mkdir("C.npy", 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, "C.npy/inside", nil)
		if err := o.Commit(); err == nil {
			t.Error("a directory was replaced")
		}
		wantNames(t, ".", "C.npy")
		wantNames(t, "C.npy", "inside")
	})
}

func TestASymbolicLinkStaysAndItsFileIsReplaced(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		if err := errors.Join(os.Mkdir("d", 0o755), os.Symlink("d/C.npy", "link")); err != nil {
			t.Fatal(err)
		}
		put(t, "d/C.npy", []byte("old"))
		if err := newOutput(t, "link", true, unnamed).Commit(); err != nil {
			t.Fatal(err)
		}
		if to, err := os.Readlink("link"); err != nil || to != "d/C.npy" {
			t.Errorf("the link leads to %q, %v", to, err)
		}
		open(t, "d/C.npy")
		wantNames(t, "d", "C.npy")
	})
}

func TestAHardLinkedFileIsReplacedUnderOneNameOnly(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		put(t, "C.npy", []byte("old"))
		if err := os.Link("C.npy", "other"); err != nil {
			t.Fatal(err)
		}
		if err := newOutput(t, "C.npy", true, unnamed).Commit(); err != nil {
			t.Fatal(err)
		}
		if string(get(t, "other")) != "old" {
			t.Error("the other name changed too")
		}
		wantNames(t, ".", "C.npy", "other")
	})
}

func TestCommitFollowsADirectoryThatWasMoved(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		if err := os.Mkdir("d", 0o755); err != nil {
			t.Fatal(err)
		}
		o := newOutput(t, "d/C.npy", false, unnamed)
		if err := os.Rename("d", "e"); err != nil {
			t.Fatal(err)
		}
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		wantNames(t, "e", "C.npy")
	})
}
