package tune

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"matmul/internal/sys"
)

// SweepVersion is that of the file of a sweep.
const SweepVersion = 1

// ErrSweep is what every reason not to go on with a sweep's file wraps: it is
// none, it is damaged, or it is of another machine or another sweep.
var ErrSweep = errors.New("cannot go on with this sweep")

// A SweepHeader is the first line of a sweep's file: where and what is
// measured. A file whose header differs in anything is of another sweep.
type SweepHeader struct {
	Version int `json:"matmul_sweep"`
	Key
	Caches CacheSizes `json:"cache_per_worker"`
	Axes   []Axis     `json:"axes"`
	Sizes  []string   `json:"sizes"`
	Reps   int        `json:"reps"`
	Base   Choice     `json:"base"`
}

// A SweepFile is the file of a sweep: the header and then a line of JSON for
// each finished point. A process that is killed leaves a last line that is not
// complete; it is cut off when the sweep goes on.
type SweepFile struct {
	f       *os.File
	Records []Record // that were there
	done    map[[2]int]bool
}

// OpenSweep opens the file of a sweep, a new one or one to go on with. The
// errors wrap [ErrSweep], or are the system's. Two processes cannot have it
// open at once.
func OpenSweep(path string, h SweepHeader) (*SweepFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0o644)
	if err != nil {
		return nil, err
	}
	s := &SweepFile{f: f, done: map[[2]int]bool{}}
	if err := s.begin(h); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// maxSweep bounds what is read: maxPoints lines at a dozen sizes.
const maxSweep = 1 << 30

func (s *SweepFile) begin(h SweepHeader) error {
	data, err := s.lockAndRead()
	if err != nil {
		return err
	}
	mine, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode header: %w", err)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	if len(whole) == 0 {
		if !bytes.HasPrefix(mine, data) { // an empty file, or what a kill left of a header
			return fmt.Errorf("%w: not a sweep's file", ErrSweep)
		}
		return s.restart(mine)
	}
	first, rest, _ := bytes.Cut(whole, []byte("\n"))
	if err := sameSweep(first, mine, h); err != nil {
		return err
	}
	if err := s.read(rest, h); err != nil {
		return err
	}
	return s.cut(int64(len(whole)))
}

// lockAndRead returns what the file holds, after making sure that it may be a
// sweep's and is nobody else's.
func (s *SweepFile) lockAndRead() ([]byte, error) {
	st, err := s.f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%w: not a regular file", ErrSweep)
	case st.Size() > maxSweep:
		return nil, fmt.Errorf("%w: longer than %s", ErrSweep, FormatBytes(maxSweep))
	}
	if err := sys.TryLock(s.f); err != nil {
		return nil, fmt.Errorf("%w: another sweep is writing it (%w)", ErrSweep, err)
	}
	return io.ReadAll(s.f)
}

// restart writes the header to a file that has none, or half of one.
func (s *SweepFile) restart(header []byte) error {
	if err := s.cut(0); err != nil {
		return err
	}
	_, err := s.f.Write(append(header, '\n'))
	return err
}

// cut cuts the file to n bytes, and continues there.
func (s *SweepFile) cut(n int64) error {
	if err := s.f.Truncate(n); err != nil {
		return err
	}
	_, err := s.f.Seek(n, io.SeekStart)
	return err
}

// sameSweep returns an error that says how the file's header differs.
func sameSweep(first, mine []byte, h SweepHeader) error {
	if bytes.Equal(first, mine) {
		return nil
	}
	var there SweepHeader
	switch err := json.Unmarshal(first, &there); {
	case err != nil || there.Version == 0:
		return fmt.Errorf("%w: not a sweep's file", ErrSweep)
	case there.Version != h.Version:
		return fmt.Errorf("%w: version %d, want %d", ErrSweep, there.Version, h.Version)
	case there.Processor != h.Processor || there.Caches != h.Caches:
		return fmt.Errorf("%w: it is of another machine, %s", ErrSweep, quote(there.Processor))
	case there.Key != h.Key:
		return fmt.Errorf("%w: it is for %s", ErrSweep, there.Key)
	}
	return fmt.Errorf("%w: it is of another grid, other sizes or repetitions, or another untuned choice", ErrSweep)
}

// read takes the finished points.
func (s *SweepFile) read(lines []byte, h SweepHeader) error {
	points := 1
	for _, a := range h.Axes {
		points *= len(a.Values)
	}
	for number, line := 2, 0; len(lines) > 0; number++ {
		line = bytes.IndexByte(lines, '\n')
		var r Record
		err := json.Unmarshal(lines[:line], &r)
		if err != nil || r.Point < 0 || r.Point >= points || r.Size < 0 || r.Size >= len(h.Sizes) {
			return fmt.Errorf("%w: line %d is damaged", ErrSweep, number)
		}
		s.Records = append(s.Records, r)
		s.done[[2]int{r.Point, r.Size}] = true
		lines = lines[line+1:]
	}
	return nil
}

// Done reports whether a point is in the file.
func (s *SweepFile) Done(point, size int) bool { return s.done[[2]int{point, size}] }

// Append writes a record, as one line by one call of write.
func (s *SweepFile) Append(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	if _, err := s.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	s.Records = append(s.Records, r)
	s.done[[2]int{r.Point, r.Size}] = true
	return nil
}

// Close closes the file.
func (s *SweepFile) Close() error { return s.f.Close() }
