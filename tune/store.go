package tune

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Store is a directory of profiles, a file for each key. Any number of
// processes may read and write it at once: a profile appears under its name
// complete, or not at all, and the last one written stays.
type Store struct{ Dir string }

// DefaultStore returns the user's store, $XDG_CONFIG_HOME/matmul or
// ~/.config/matmul. It need not exist.
func DefaultStore() (Store, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return Store{}, fmt.Errorf("find profiles: %w", err)
	}
	return Store{filepath.Join(dir, "matmul")}, nil
}

const suffix = ".profile.json"

// Path returns the file of a key: a readable name, and a hash, since names of
// processors may differ in what no file name can show.
func (s Store) Path(key Key) string {
	hash := fnv.New32a()
	hash.Write([]byte(key.Processor))
	words := strings.FieldsFunc(strings.ToLower(key.Processor), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	name := strings.Join(words, "-")
	name = name[:min(len(name), 60)]
	return filepath.Join(s.Dir, fmt.Sprintf("%s-%08x-%s-%s-%d%s", name, hash.Sum32(), key.Type, key.ISA, key.Workers, suffix))
}

// Load returns the profile of a key. The error wraps fs.ErrNotExist if there is
// none; any other means that what is there cannot be used.
func (s Store) Load(key Key) (*Profile, error) {
	path := s.Path(key)
	p, err := readFile(path)
	if err == nil && p.Key != key {
		err = fmt.Errorf("%w: it is for %s", ErrProfile, p.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", path, err)
	}
	return p, nil
}

// readFile reads one file, which may be anything: it does not block and is
// bounded.
func readFile(path string) (*Profile, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, bare(err)
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrProfile)
	}
	return ReadProfile(f)
}

// Save stores a profile in the place of the one of its key. It is written to a
// file of its own (mode 0600), flushed to disk and then renamed.
func (s Store) Save(p *Profile) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("save profile: %w", err)
	}
	data, err := p.encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("save profile: %w", err)
	}
	s.sweep()
	if err := s.replace(s.Path(p.Key), data); err != nil {
		return fmt.Errorf("save profile: %w", err)
	}
	return nil
}

const partPattern = ".profile-*.part"

// replace makes data the content of path, whole or not at all.
func (s Store) replace(path string, data []byte) error {
	f, err := os.CreateTemp(s.Dir, partPattern) // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncDir(s.Dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}

// stale is the age of a part file whose writer must have been killed.
const stale = time.Hour

// sweep removes what killed writers left. Nothing depends on it.
func (s Store) sweep() {
	parts, _ := filepath.Glob(filepath.Join(s.Dir, partPattern))
	for _, part := range parts {
		if st, err := os.Lstat(part); err == nil && time.Since(st.ModTime()) > stale {
			os.Remove(part)
		}
	}
}

// An Entry is one file of a store: a profile, or why it is none.
type Entry struct {
	Path    string
	Profile *Profile // nil if Err is not
	Err     error
}

// All lists the store by file name. A directory that is not there is empty.
func (s Store) All() ([]Entry, error) {
	files, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	var all []Entry
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), suffix) {
			continue
		}
		path := filepath.Join(s.Dir, f.Name())
		p, err := readFile(path)
		all = append(all, Entry{path, p, err})
	}
	return all, nil
}

// Reset removes every profile, readable or not, and returns their number.
func (s Store) Reset() (removed int, err error) {
	all, err := s.All()
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		switch err := os.Remove(e.Path); {
		case err == nil:
			removed++
		case !errors.Is(err, fs.ErrNotExist):
			return removed, fmt.Errorf("remove profile: %w", err)
		}
	}
	return removed, nil
}
