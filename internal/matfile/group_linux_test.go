package matfile

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
)

func TestAGroupIsCommittedWithOneFsyncOfEachDirectory(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		var mu sync.Mutex
		files, dirs := 0, 0
		var outputs []*Output
		put(t, "old.npy", []byte("old"))
		for _, dir := range []string{"d", "e"} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		names := []string{"old.npy"}
		for i := range 40 {
			names = append(names, fmt.Sprintf("%s/%d.npy", []string{"d", "e", "d/../e"}[i%3], i))
		}
		for _, name := range names {
			o := newOutput(t, name, true, unnamed)
			o.Fsync = func(f *os.File) error {
				mu.Lock()
				defer mu.Unlock()
				if st, err := f.Stat(); err == nil && st.IsDir() {
					dirs++
				} else {
					files++
				}
				return f.Sync()
			}
			outputs = append(outputs, o)
		}
		for i, err := range CommitAll(outputs) {
			if err != nil {
				t.Errorf("%s: %v", names[i], err)
			}
		}
		if files != len(names) || dirs != 3 {
			t.Errorf("%d files and %d directories were synced, want %d and 3", files, dirs, len(names))
		}
		for _, name := range names {
			open(t, name)
		}
		wantNames(t, ".", "d", "e", "old.npy")
	})
}

// TestOneOfAGroupThatFails has a file that cannot be synced, a name that is
// taken, an output that was given up, and a directory that cannot be synced.
func TestOneOfAGroupThatFailsLeavesTheOthers(t *testing.T) {
	eachWay(t, func(t *testing.T, unnamed bool) {
		for _, dir := range []string{"good", "bad"} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		put(t, "bad/old.npy", []byte("old"))
		broken := func(dir bool) func(*os.File) error {
			return func(f *os.File) error {
				if st, err := f.Stat(); err != nil || st.IsDir() == dir {
					return errors.Join(err, syscall.EIO)
				}
				return f.Sync()
			}
		}
		o := func(name string) *Output { return newOutput(t, name, name == "bad/old.npy", unnamed) }
		outputs := []*Output{o("good/1.npy"), o("good/2.npy"), o("good/3.npy"), o("good/4.npy"), o("bad/old.npy"), o("bad/new.npy")}
		outputs[0].Fsync = broken(false)
		put(t, "good/2.npy", []byte("somebody else's"))
		outputs[2].Abort()
		outputs[4].Fsync, outputs[5].Fsync = broken(true), broken(true)
		errs := CommitAll(outputs)
		want := []string{
			"sync good/1.npy: input/output error",
			"good/2.npy: exists; use --force to replace it",
			"commit good/3.npy: output aborted",
			"",
			"commit bad/old.npy: sync the directory: input/output error",
			"commit bad/new.npy: sync the directory: input/output error",
		}
		for i, err := range errs {
			if got := fmt.Sprint(err); err == nil && want[i] != "" || err != nil && got != want[i] {
				t.Errorf("output %d: %v, want %s", i, err, want[i])
			}
		}
		wantNames(t, "good", "2.npy", "4.npy")
		wantNames(t, "bad", "old.npy")
		if !slices.Equal(get(t, "bad/old.npy"), []byte("old")) || string(get(t, "good/2.npy")) != "somebody else's" {
			t.Error("a file that was there has changed")
		}
	})
}
