package matfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"matmul/internal/elem"
)

// npyBytes returns a file of the given version whose header is dict.
func npyBytes(version byte, dict, data string) []byte {
	n := len(dict)
	size := []byte{byte(n), byte(n >> 8)}
	if version > 1 {
		size = append(size, byte(n>>16), byte(n>>24))
	}
	return slices.Concat([]byte(magic), []byte{version, 0}, size, []byte(dict), []byte(data))
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// fixtures returns the paths of what NumPy wrote, below testdata.
func fixtures(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/" + dir + "/*.np?")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in testdata/%s: %v", dir, err)
	}
	return paths
}

// wantMessage fails unless err is an *Error with just this message.
func wantMessage(t *testing.T, err error, message string) {
	t.Helper()
	var e *Error
	if err == nil || err.Error() != message {
		t.Errorf("got  %v\nwant %s", err, message)
	} else if !errors.As(err, &e) {
		t.Errorf("%v: got a %T, want an *Error", err, err)
	}
}

// oneLine fails unless err is an *Error of one line that names path.
func oneLine(t *testing.T, err error, path string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("got %v (%T), want an *Error", err, err)
	} else if s := err.Error(); !strings.HasPrefix(s, path) || strings.ContainsAny(s, "\n\r\x00") || len(s) > 400 {
		t.Errorf("got %q, want one line that begins with %q", s, path)
	}
}

// list returns the names in the directory.
func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func wantNames(t *testing.T, dir string, names ...string) {
	t.Helper()
	if got := list(t, dir); !slices.Equal(got, names) {
		t.Errorf("the directory holds %q, want %q", got, names)
	}
}

// readAll reads the whole matrix in stored order.
func readAll[T elem.Float](t *testing.T, f *File) []T {
	t.Helper()
	dst := make([]T, f.Rows*f.Cols)
	count, _ := f.Vectors()
	if err := Read(f, dst, 0, count, nil); err != nil {
		t.Fatal(err)
	}
	return dst
}
