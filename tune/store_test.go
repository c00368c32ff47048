package tune

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheStoreIsTheUsers(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", "/somewhere")
	if s, err := DefaultStore(); err != nil || s.Dir != "/somewhere/matmul" {
		t.Errorf("%+v, %v", s, err)
	}
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", "/home/me")
	if s, err := DefaultStore(); err != nil || s.Dir != "/home/me/.config/matmul" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWhatIsSavedIsLoadedAndPrivate(t *testing.T) {
	s := Store{filepath.Join(t.TempDir(), "new", "store")}
	p, key, _ := aProfile(t)
	if _, err := s.Load(key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty store: %v", err)
	}
	if err := s.Save(p); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load(key)
	if err != nil || got.Choice != p.Choice {
		t.Errorf("loaded %+v, %v", got, err)
	}
	for path, want := range map[string]fs.FileMode{s.Path(key): 0o600, s.Dir: fs.ModeDir | 0o700} {
		if st, err := os.Stat(path); err != nil || st.Mode() != want {
			t.Errorf("%s has mode %v, want %v (%v)", path, st.Mode(), want, err)
		}
	}
	all, err := s.All()
	if err != nil || len(all) != 1 || all[0].Profile.Key != key {
		t.Errorf("the store lists %+v, %v", all, err)
	}
	if n, err := s.Reset(); n != 1 || err != nil {
		t.Errorf("reset removed %d, %v", n, err)
	}
	if all, err := s.All(); err != nil || len(all) != 0 {
		t.Errorf("after reset there are %+v, %v", all, err)
	}
}

func TestKeysHaveFilesOfTheirOwn(t *testing.T) {
	s, seen := Store{"/s"}, map[string]bool{}
	for _, processor := range []string{"AMD EPYC", "AMD  EPYC", "amd epyc", "Процессор", "..", "a/../../b", strings.Repeat("x", 200)} {
		for _, dtype := range []string{"float64", "float32"} {
			for _, workers := range []int{1, 11} {
				path := s.Path(Key{processor, dtype, "auto", workers})
				if seen[path] || filepath.Dir(path) != "/s" || len(filepath.Base(path)) > 120 {
					t.Errorf("%q, %s, %d: %s", processor, dtype, workers, path)
				}
				seen[path] = true
			}
		}
	}
}

func TestFilesThatAreNoProfilesAreErrorsAndNothingElse(t *testing.T) {
	p, key, _ := aProfile(t)
	for what, malform := range malformations {
		s := Store{t.TempDir()}
		if err := malform(s.Path(key)); err != nil {
			t.Fatal(err)
		}
		if what == "sparse terabyte" && os.Truncate(s.Path(key), 1<<40) != nil {
			continue
		}
		start := time.Now()
		if got, err := s.Load(key); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", what, took)
		}
		if all, err := s.All(); err != nil || len(all) != 1 || all[0].Err == nil {
			t.Errorf("%s: listed as %+v, %v", what, all, err)
		}
		if what == "directory" {
			continue // in the way for good
		}
		if err := s.Save(p); err != nil {
			t.Errorf("%s: cannot be replaced: %v", what, err)
		}
		if _, err := s.Load(key); err != nil {
			t.Errorf("%s: after Save: %v", what, err)
		}
	}
}

func TestAProfileOfAnotherKeyUnderThisOnesNameIsRefused(t *testing.T) {
	s := Store{t.TempDir()}
	p, key, _ := aProfile(t)
	if err := s.Save(p); err != nil {
		t.Fatal(err)
	}
	other := key
	other.Workers = 3
	if err := os.Rename(s.Path(key), s.Path(other)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(other); !errors.Is(err, ErrProfile) {
		t.Errorf("%v", err)
	}
}

func TestPartsOfKilledWritersAreRemovedWhenOld(t *testing.T) {
	s := Store{t.TempDir()}
	p, _, _ := aProfile(t)
	for name, age := range map[string]time.Duration{".profile-1.part": 2 * stale, ".profile-2.part": 0} {
		path := filepath.Join(s.Dir, name)
		restore(t, path, "half")
		then := time.Now().Add(-age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Save(p); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(s.Dir, ".profile-*"))
	if len(left) != 1 || filepath.Base(left[0]) != ".profile-2.part" {
		t.Errorf("left are %v", left)
	}
}

// savingIn turns this test's process into one that saves profiles until it is
// killed.
const savingIn = "MATMUL_TEST_SAVING_IN"

// TestTwoWritersAndAKillDoNotDamageTheStore has two processes save profiles
// into one store as fast as they can, and kills them at some point, a hundred
// times. Whatever is read meanwhile and afterwards is a whole profile.
func TestTwoWritersAndAKillDoNotDamageTheStore(t *testing.T) {
	p, key, _ := aProfile(t)
	if dir := os.Getenv(savingIn); dir != "" {
		saveForEver(t, Store{dir}, p)
	}
	s := Store{t.TempDir()}
	if err := s.Save(p); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for trial := range 100 {
		var writers sync.WaitGroup
		for range 2 {
			writers.Go(func() { runAndKill(t, s.Dir, time.Duration(trial%20)*time.Millisecond) })
		}
		ended := make(chan struct{})
		go func() { writers.Wait(); close(ended) }()
		for reading := true; reading; {
			select {
			case <-ended:
				reading = false
			default:
			}
			got, err := s.Load(key)
			if err != nil {
				t.Fatalf("trial %d: %v", trial, err)
			}
			seen[got.Choice.KC] = true
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d different profiles were seen: the writers did not write", len(seen))
	}
}

// runAndKill runs a writer until it has begun to save, and for a little longer.
func runAndKill(t *testing.T, dir string, longer time.Duration) {
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), savingIn+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	out.Read(make([]byte, 1))
	time.Sleep(longer) // when the kill comes does not matter to what is tested
	cmd.Process.Kill()
	cmd.Wait()
}

func saveForEver(t *testing.T, s Store, p *Profile) {
	fmt.Println("saving")
	for i := 0; ; i++ {
		p.Choice.KC = 1 + (os.Getpid()*31+i)%4000
		if err := s.Save(p); err != nil {
			t.Fatal(err)
		}
	}
}
