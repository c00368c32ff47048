package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"matmul/internal/sys"
)

// header is the first line of a log: the columns of GNU parallel.
const header = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand"

// An Entry is a job that has ended, as a log has it.
type Entry struct {
	Seq     int
	Start   time.Time
	Runtime time.Duration
	Send    int64 // bytes of the inputs
	Receive int64 // bytes of the output
	Exitval int
	Command string // of Job.Command: by it a job is known again
}

// line returns the entry as a line of the log. The host is GNU parallel's name
// for this machine, and no job ends by a signal: one that does ends the batch,
// and is not logged.
func (e Entry) line() string {
	return fmt.Sprintf("%d\t:\t%.3f\t%10.3f\t%d\t%d\t%d\t0\t%s\n",
		e.Seq, float64(e.Start.UnixMilli())/1e3, e.Runtime.Seconds(), e.Send, e.Receive, e.Exitval, e.Command)
}

func parseEntry(line string) (e Entry, err error) {
	f := strings.Split(line, "\t")
	if len(f) != 9 {
		return e, fmt.Errorf("has %d columns: want 9", len(f))
	}
	if e.Seq, err = strconv.Atoi(f[0]); err != nil || e.Seq < 1 {
		return e, fmt.Errorf("column Seq is %q: want a number from 1 on", f[0])
	}
	if e.Exitval, err = strconv.Atoi(f[6]); err != nil {
		return e, fmt.Errorf("column Exitval is %q: want a number", f[6])
	}
	if f[7] != "0" && e.Exitval == 0 {
		e.Exitval = 128 // of another program's log: ended by a signal
	}
	e.Command = f[8]
	return e, nil
}

// A Log is a file with a line for each job that has ended. One process writes it
// at a time.
type Log struct {
	// Fsync makes a file or directory durable: os.File.Sync, or what a test puts
	// in its place.
	Fsync func(*os.File) error

	file   *os.File
	path   string
	failed error // why nothing more is written
}

// ErrLogExists is returned when a new log was to be made and there is one.
var ErrLogExists = errors.New("exists")

// ErrLogInUse is returned when another process writes the log.
var ErrLogInUse = errors.New("another batch writes it")

// A LogError says why a file is not a log.
type LogError struct {
	Line int // 0 if it is no line
	Text string
}

// Error returns the line's number, if there is one, and what is wrong.
func (e *LogError) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d %s", e.Line, e.Text)
}

// CreateLog makes a log, or with replace begins one that is there anew.
func CreateLog(path string, replace bool) (*Log, error) {
	flags := os.O_RDWR | os.O_CREATE
	if !replace {
		flags |= os.O_EXCL
	}
	l, err := openLog(path, flags)
	if errors.Is(err, fs.ErrExist) {
		return nil, ErrLogExists
	}
	if err != nil {
		return nil, err
	}
	if err := l.begin(); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// OpenLog opens a log to go on with it, and returns what it lists. One that is
// not there is made. What follows the last whole line is cut off.
func OpenLog(path string) (*Log, []Entry, error) {
	l, err := openLog(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, nil, err
	}
	entries, err := l.read()
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	return l, entries, nil
}

func openLog(path string, flags int) (*Log, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NONBLOCK, 0o666)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &LogError{Text: "is not a regular file"}
	}
	if err == nil {
		err = sys.TryLock(f)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLogInUse
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Log{file: f, path: path, Fsync: (*os.File).Sync}, nil
}

// begin makes the log empty but for its header, and its name durable.
func (l *Log) begin() error {
	if err := l.cut(0); err != nil {
		return err
	}
	if err := l.append(header + "\n"); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(l.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := l.Fsync(dir); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// read returns the entries.
func (l *Log) read() (entries []Entry, err error) {
	text, err := io.ReadAll(l.file)
	if err != nil {
		return nil, err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	if len(whole) == 0 { // new, or torn before its header was whole
		if !strings.HasPrefix(header+"\n", string(text)) {
			return nil, &LogError{1, "is not the header of a job log: want " + strings.ReplaceAll(header, "\t", " ")}
		}
		return nil, l.begin()
	}
	n := 0
	for line := range strings.Lines(string(whole)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if n == 1 {
			if line != header {
				return nil, &LogError{1, "is not the header of a job log: want " + strings.ReplaceAll(header, "\t", " ")}
			}
			continue
		}
		e, err := parseEntry(line)
		if err != nil {
			return nil, &LogError{n, err.Error()}
		}
		entries = append(entries, e)
	}
	return entries, l.cut(int64(len(whole)))
}

// cut cuts the file to size, and goes on there.
func (l *Log) cut(size int64) error {
	if err := l.file.Truncate(size); err != nil {
		return err
	}
	_, err := l.file.Seek(size, io.SeekStart)
	return err
}

// Append writes the lines of jobs that have ended and makes them durable. Their
// outputs are durable already. After an error it does nothing any more but to
// return it.
func (l *Log) Append(entries ...Entry) error {
	var text strings.Builder
	for _, e := range entries {
		text.WriteString(e.line())
	}
	if l.failed == nil && len(entries) > 0 {
		l.failed = l.append(text.String())
	}
	return l.failed
}

func (l *Log) append(text string) error {
	if _, err := io.WriteString(l.file, text); err != nil {
		return err
	}
	return l.Fsync(l.file)
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }
