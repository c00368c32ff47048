package batch

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var someEntries = []Entry{
	{Seq: 2, Start: time.UnixMilli(1700000000123), Runtime: 1500 * time.Millisecond, Send: 10, Receive: 20, Command: "matmul run A B -o C"},
	{Seq: 1, Start: time.UnixMilli(1700000001000), Runtime: time.Millisecond, Exitval: 3, Command: "matmul run 'A B' B -o D"},
}

// someLog writes entries to a new log.
func someLog(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "log")
	l, err := CreateLog(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, e := range someEntries {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// known is what is read back of an entry.
func known(entries []Entry) (short []Entry) {
	for _, e := range entries {
		short = append(short, Entry{Seq: e.Seq, Exitval: e.Exitval, Command: e.Command})
	}
	return short
}

func TestALogHasTheColumnsOfGNUParallel(t *testing.T) {
	b, err := os.ReadFile(someLog(t))
	want := "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n" +
		"2\t:\t1700000000.123\t     1.500\t10\t20\t0\t0\tmatmul run A B -o C\n" +
		"1\t:\t1700000001.000\t     0.001\t0\t0\t3\t0\tmatmul run 'A B' B -o D\n"
	if err != nil || string(b) != want {
		t.Errorf("got %q, %v", b, err)
	}
}

// TestWhatACrashTore cuts the log at each byte: whole lines stay, and the log
// goes on behind them.
func TestWhatACrashToreIsCutOff(t *testing.T) {
	path := someLog(t)
	whole, _ := os.ReadFile(path)
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		l, got, err := OpenLog(path)
		if err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		lines := max(strings.Count(string(whole[:n]), "\n")-1, 0)
		if want := known(someEntries[:lines]); !reflect.DeepEqual(got, want) {
			t.Fatalf("after %d bytes: got %+v, want %+v", n, got, want)
		}
		if err := l.Append(someEntries[lines:]...); err != nil {
			t.Fatal(err)
		}
		l.Close()
		if b, _ := os.ReadFile(path); string(b) != string(whole) {
			t.Fatalf("after %d bytes: got %q", n, b)
		}
	}
}

func TestWhatIsNoLogIsNotTouched(t *testing.T) {
	good := strings.ReplaceAll(header, " ", "\t") + "\n"
	for text, want := range map[string]string{
		"something else\n": "line 1 is not the header of a job log: want Seq Host Starttime JobRuntime Send Receive Exitval Signal Command",
		"something":        "line 1 is not the header of a job log: want Seq Host Starttime JobRuntime Send Receive Exitval Signal Command",
		good + "1\t:\n":    "line 2 has 2 columns: want 9",
		good + "x\t:\t0\t0\t0\t0\t0\t0\tmatmul run\n":   `line 2 column Seq is "x": want a number from 1 on`,
		good + "1\t:\t0\t0\t0\t0\t\t0\tmatmul run\n":    `line 2 column Exitval is "": want a number`,
		good + "1\t:\t0\t0\t0\t0\t0\t0\ta\n2\t:\t0\t\n": "line 3 has 4 columns: want 9",
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, _, err := OpenLog(path)
		if bad := (*LogError)(nil); !errors.As(err, &bad) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if b, _ := os.ReadFile(path); string(b) != text {
			t.Errorf("%q became %q", text, b)
		}
	}
}

func TestALogHasOneWriter(t *testing.T) {
	path := someLog(t)
	if _, err := CreateLog(path, false); !errors.Is(err, ErrLogExists) {
		t.Errorf("made again: %v", err)
	}
	l, _, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range []func() (*Log, error){
		func() (*Log, error) { l, _, err := OpenLog(path); return l, err },
		func() (*Log, error) { return CreateLog(path, true) },
	} {
		if _, err := open(); !errors.Is(err, ErrLogInUse) {
			t.Errorf("opened by two: %v", err)
		}
	}
	l.Close()
	if l, err = CreateLog(path, true); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if b, _ := os.ReadFile(path); string(b) != header+"\n" {
		t.Errorf("begun anew it holds %q", b)
	}
}

func TestAfterAFailedFsyncNothingIsWritten(t *testing.T) {
	path := someLog(t)
	l, _, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	broken := errors.New("the disk is gone")
	l.Fsync = func(*os.File) error { return broken }
	if err := l.Append(someEntries[0]); err != broken {
		t.Errorf("got %v", err)
	}
	before, _ := os.ReadFile(path)
	l.Fsync = (*os.File).Sync
	if err := l.Append(someEntries[0]); err != broken {
		t.Errorf("then %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("something was written")
	}
}
