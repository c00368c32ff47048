package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"matmul/internal/failpoint"
	"matmul/internal/matfile"
	"matmul/tiling"
)

// Suffix is what a journal's name has after that of its output.
const Suffix = ".journal"

// A Journal records what of a job is on disk. Its file is made by the first
// checkpoint that has something to record.
type Journal struct {
	// Fsync makes a file or directory durable: os.File.Sync, or what a test
	// puts in its place.
	Fsync func(*os.File) error

	dir    *os.Root
	name   string
	path   string // as errors show it
	job    Job
	header []byte

	mu     sync.Mutex
	stored []Record // not recorded yet

	point  sync.Mutex // held during a checkpoint
	file   *os.File   // nil until there is one
	fresh  bool       // the file has no header yet
	end    int64      // where the next record goes
	count  uint64     // of records
	failed error      // why nothing more is recorded
	stats  Stats
}

// Stats says what checkpoints took.
type Stats struct {
	Count   int           // of checkpoints that recorded something
	Slowest time.Duration // of them
}

// New returns the journal of a job, to lie in the directory dir beside the
// output name. None may be there when the first checkpoint comes, unless Read
// has opened it.
func New(dir, name string, j Job) (*Journal, error) {
	head, err := header(j)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Journal{dir: root, name: name + Suffix, path: filepath.Join(dir, name+Suffix),
		job: j, header: head, Fsync: (*os.File).Sync}, nil
}

// Exists reports whether the output name in the directory dir has a journal.
func Exists(dir, name string) (bool, error) {
	_, err := os.Lstat(filepath.Join(dir, name+Suffix))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Remove removes the journal of the output name in the directory dir.
func Remove(dir, name string) error { return os.Remove(filepath.Join(dir, name+Suffix)) }

// Read opens the journal that an earlier run left, to go on with it, and
// returns its records up to the first bad one, and why that is bad ("" if none
// is). A journal of another job or version, or something else of that name, is
// a [*matfile.Error]; the file is not changed before the next checkpoint.
func (j *Journal) Read() (records []Record, cut string, err error) {
	j.point.Lock()
	defer j.point.Unlock()
	if j.file != nil {
		j.file.Close()
		j.file, j.fresh = nil, false
	}
	f, err := j.dir.OpenFile(j.name, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", j.wrap("open", err)
	}
	j.file = f
	st, err := f.Stat()
	if err != nil {
		return nil, "", j.wrap("examine", err)
	}
	if !st.Mode().IsRegular() {
		return nil, "", j.refuse(refusal{"is not a regular file", "a journal"})
	}
	r := io.NewSectionReader(f, 0, st.Size())
	head, err := readHeader(r, j.job)
	var not refusal
	switch {
	case errors.Is(err, errDamaged):
		j.fresh = true
		return nil, err.Error() + ": nothing is kept", nil
	case errors.As(err, &not):
		return nil, "", j.refuse(not)
	case err != nil:
		return nil, "", j.wrap("read", err)
	}
	j.header = head
	records, cut, err = readRecords(r, markOf(head), j.job)
	j.count = uint64(len(records))
	j.end = int64(len(head)) + int64(recordSize*len(records))
	return records, cut, j.wrap("read", err)
}

func (j *Journal) refuse(r refusal) error {
	return &matfile.Error{Path: j.path, Problem: r.problem, Want: r.want,
		Advice: "give the options and inputs that it was made with, or use --force in place of --resume to start from the beginning"}
}

// wrap names the file in an error of the system.
func (j *Journal) wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s %s: %w", verb, j.path, err)
}

// Stored notes a rectangle that has been written to the part file: the next
// checkpoint records it. Any goroutine may call it; it does not wait for a
// checkpoint that is under way.
func (j *Journal) Stored(r tiling.Rect, sum uint32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stored = append(j.stored, Record{r, sum})
}

// Checkpoint records what was stored since the last one: it makes it durable,
// by data, then appends the records, then makes those durable. After an error it
// does nothing any more but to return the same error.
func (j *Journal) Checkpoint(data func() error) error {
	j.point.Lock()
	defer j.point.Unlock()
	j.mu.Lock()
	stored := j.stored
	j.stored = nil
	j.mu.Unlock()
	if j.failed != nil || len(stored) == 0 {
		return j.failed
	}
	begin := time.Now()
	if err := j.record(stored, data); err != nil {
		j.failed = fmt.Errorf("checkpoint: %w", err)
		return j.failed
	}
	j.stats.Count++
	j.stats.Slowest = max(j.stats.Slowest, time.Since(begin))
	return nil
}

func (j *Journal) record(stored []Record, data func() error) error {
	if err := failpoint.Hit("checkpoint.data"); err != nil {
		return err
	}
	if err := data(); err != nil {
		return fmt.Errorf("sync the part file: %w", err)
	}
	if err := failpoint.Hit("checkpoint.synced"); err != nil {
		return err
	}
	made := j.file == nil
	if made {
		f, err := j.dir.OpenFile(j.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return j.wrap("make", err)
		}
		j.file, j.fresh = f, true
	}
	if err := j.append(stored); err != nil {
		return j.wrap("write", err)
	}
	if err := failpoint.Hit("checkpoint.appended"); err != nil {
		return err
	}
	if err := j.Fsync(j.file); err != nil {
		return j.wrap("sync", err)
	}
	if err := failpoint.Hit("checkpoint.recorded"); err != nil {
		return err
	}
	if made {
		return j.syncDir()
	}
	return nil
}

// append writes the records behind the good part of the file. What lies there
// is cut off first.
func (j *Journal) append(stored []Record) error {
	if j.fresh {
		j.end, j.count = 0, 0
	}
	if err := j.file.Truncate(j.end); err != nil {
		return err
	}
	if j.fresh {
		if _, err := j.file.WriteAt(j.header, 0); err != nil {
			return err
		}
		j.fresh, j.end = false, int64(len(j.header))
	}
	m := markOf(j.header)
	for _, r := range stored {
		if err := failpoint.Hit("checkpoint.append"); err != nil {
			return err
		}
		if _, err := j.file.WriteAt(r.encode(j.count, m), j.end); err != nil {
			return err
		}
		j.count++
		j.end += recordSize
	}
	return nil
}

// syncDir makes the journal's name, or its removal, durable. Some file systems
// have nothing to sync in a directory, and say so by EINVAL or ENOTSUP.
func (j *Journal) syncDir() error {
	d, err := j.dir.Open(".")
	if err != nil {
		return j.wrap("open the directory of", err)
	}
	defer d.Close()
	err = j.Fsync(d)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return j.wrap("sync the directory of", err)
}

// Records returns how many records there are, of this run and of earlier ones.
func (j *Journal) Records() uint64 {
	j.point.Lock()
	defer j.point.Unlock()
	return j.count
}

// Stats returns what the checkpoints of this run took.
func (j *Journal) Stats() Stats {
	j.point.Lock()
	defer j.point.Unlock()
	return j.stats
}

// Remove removes the file that a checkpoint has made or Read has opened, if
// any: the job is complete, or what is recorded is of no use. Close must still be
// called.
func (j *Journal) Remove() error {
	j.point.Lock()
	defer j.point.Unlock()
	if j.file == nil {
		return nil
	}
	j.file.Close()
	j.file = nil
	j.end, j.count = 0, 0
	err := failpoint.Hit("journal.remove")
	if err == nil {
		err = j.dir.Remove(j.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = failpoint.Hit("journal.removed")
	}
	if err == nil {
		err = j.syncDir()
	}
	return j.wrap("remove", err)
}

// Close closes the files. It removes none.
func (j *Journal) Close() {
	j.point.Lock()
	defer j.point.Unlock()
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	j.dir.Close()
}
