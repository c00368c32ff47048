package matfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npy"

	"matmul/internal/elem"
)

// FuzzParse looks for headers that crash the parser, make it say what cannot
// be, or make it differ from npyio.
func FuzzParse(f *testing.F) {
	for _, path := range append(fixtures(f, "numpy"), fixtures(f, "refused")...) {
		f.Add(seed(f, path))
	}
	for _, dict := range []string{
		good, "{}", "((((((((((", "{'descr': [('a', '<f8', (2,))], 'shape': (-1, 99999999999999999999), }",
		"{'descr': '<f8', 'fortran_order': True, 'shape': (1000000000000000000, 9), }", "__import__('os')", "{'\\",
	} {
		f.Add(npyBytes(1, dict, ""))
		f.Add(npyBytes(2, dict, ""))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := Parse(bytes.NewReader(content))
		if err != nil {
			var e *Error
			if s := err.Error(); !errors.As(err, &e) || s == "" || strings.ContainsAny(s, "\n\r\x00\x1b") || len(s) > 400 {
				t.Fatalf("got %q (%T), want an *Error of one line", s, err)
			}
			return
		}
		checkInfo(t, in, len(content))
		compareWithNpyio(t, in, content)
	})
}

func checkInfo(t *testing.T, in Info, size int) {
	if in.Rows < 0 || in.Cols < 0 || in.Dims < 1 || in.Dims > 2 || !in.Elem.Valid() ||
		in.Offset < 10 || in.Offset > int64(size) || in.Offset+in.DataSize() < in.Offset ||
		in.Dims == 1 && (in.Cols != 1 || in.Fortran) || in.BigEndian && in.Elem.Size() == 1 {
		t.Fatalf("got %+v", in)
	}
	if in.Cols != 0 && in.DataSize()/in.Cols/int64(in.Elem.Size()) != in.Rows {
		t.Fatalf("the size of %+v overflows", in)
	}
}

// compareWithNpyio reads again with npyio what is written the one way that it
// understands, by searching for the text between the keys.
func compareWithNpyio(t *testing.T, in Info, content []byte) {
	order := map[bool]string{false: "<", true: ">"}[in.BigEndian]
	if in.Elem.Size() == 1 {
		order = "|"
	}
	descr := fmt.Sprintf("%s%c%d", order, kindChar(in.Elem), in.Elem.Size())
	fortran := map[bool]string{false: "False", true: "True"}[in.Fortran]
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, fortran, in.Shape())
	text := string(content[:in.Offset])
	if content[6] == 3 || !strings.HasSuffix(text, "\n") || !strings.HasPrefix(text[10:], dict) && !strings.HasPrefix(text[12:], dict) {
		return
	}
	r, err := npy.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("npyio: %v", err)
	}
	shape := []int{int(in.Rows), int(in.Cols)}[:in.Dims]
	if d := r.Header.Descr; d.Type != descr || d.Fortran != in.Fortran || !slices.Equal(d.Shape, shape) {
		t.Fatalf("npyio reads %+v, we %+v", d, in)
	}
}

func seed(f *testing.F, path string) []byte {
	content := get(f, path)
	return content[:min(len(content), 512)]
}

func TestReadAgreesWithNpyioOnTheFixtures(t *testing.T) {
	compared := 0
	for _, path := range fixtures(t, "numpy") {
		f := open(t, path)
		if f.Elem != elem.Float64 || strings.Contains(path, "-v3") || f.Offset != 128 || f.Rows*f.Cols == 0 {
			continue
		}
		var want []float64
		if err := npy.Read(bytes.NewReader(get(t, path)), &want); err != nil {
			t.Fatalf("npyio: %s: %v", path, err)
		}
		if got := readAll[float64](t, f); !slices.EqualFunc(got, want, sameBits) {
			t.Errorf("%s: got %v, npyio %v", path, got, want)
		}
		compared++
	}
	if compared < 10 {
		t.Errorf("only %d fixtures compared", compared)
	}
}
