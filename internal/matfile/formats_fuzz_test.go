package matfile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/csv"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"matmul/internal/elem"
)

// A collector is a sink that keeps what it is given.
type collector struct {
	elements []float64
	at       int64
}

func (c *collector) put(run []float64) error {
	c.elements = append(c.elements, run...)
	return nil
}

func (c *collector) seek(at int64) { c.at = at }

func (c *collector) info(rows, cols int64, fortran bool) Info {
	return Info{Rows: rows, Cols: cols, Dims: 2, Elem: elem.Float64, Fortran: fortran}
}

// checkRefusal fails unless err is an *Error of one line, short but for the file's name.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if s := err.Error(); !errors.As(err, &e) || s == "" || strings.ContainsAny(s, "\n\r\x00\x1b") || len(s) > 400+len(strconv.Quote(e.Path)) {
		t.Fatalf("got %q (%T), want an *Error of one line", s, err)
	}
}

// FuzzText looks for text that crashes the reader, that it takes for another matrix
// than the one it writes, or that it reads in another way than encoding/csv does.
func FuzzText(f *testing.F) {
	for _, s := range []string{"1,2\n3,4\n", "x;y\n1;2\n", "# c\n1 2\r\n 3\t4", "\ufeff\"1\",\"2\"", "1\t2\n\n3\t4\n", "nan,-inf\n1e999,1_0", ",\n", "x\n", "a,b\n0 0\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c collector
		in, err := readText(bufio.NewReader(bytes.NewReader(text)), &c)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if in.Rows < 1 || in.Cols < 1 || in.Rows*in.Cols != int64(len(c.elements)) {
			t.Fatalf("%s, and %d elements", in.Shape(), len(c.elements))
		}
		compareWithCSV(t, text, &c)
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := encodeText(w, &File{Info: in}, ',', func([]float64) error { return nil })(c.elements); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		var again collector
		back, err := readText(bufio.NewReader(&out), &again)
		if err != nil || back != in || !slices.EqualFunc(again.elements, c.elements, sameBits) {
			t.Fatalf("read again: %+v, %v, want %+v", back, err, in)
		}
	})
}

// compareWithCSV reads again with encoding/csv where that reads the same language:
// commas, and neither quotes nor lines that this package skips.
func compareWithCSV(t *testing.T, text []byte, c *collector) {
	lines := bytes.TrimRight(text, " \n")
	last := lines[bytes.LastIndexByte(lines, '\n')+1:] // numbers, where the first may be names
	if !bytes.Contains(last, []byte(",")) || bytes.ContainsAny(text, "\t;\"#\r\ufeff") {
		return
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	var want []float64
	for n := 0; ; n++ {
		record, err := r.Read()
		if err != nil {
			break
		}
		var row []float64
		for _, field := range record {
			v, err := parseNumber([]byte(strings.TrimSpace(field)))
			if err != nil {
				row = nil
				break
			}
			row = append(row, v)
		}
		want = append(want, row...)
	}
	if !slices.EqualFunc(c.elements, want, sameBits) {
		t.Fatalf("got %v, encoding/csv %v", c.elements, want)
	}
}

// FuzzMarket looks for Matrix Market files that crash the reader, or give another
// number of elements than their first lines say.
func FuzzMarket(f *testing.F) {
	const head = "%%MatrixMarket matrix array "
	for _, s := range []string{"real general\n2 2\n1 2 3 4\n", "integer symmetric\n% c\n2 2\n1\n2\n3\n", "real skew-symmetric\n2 2\n5\n", "complex general\n", "real general\n0 1000000000000000\n", "real general\n1000000000 1000000000\n1"} {
		f.Add([]byte(head + s))
	}
	f.Add([]byte("%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c collector
		in, m, err := readMarket(bufio.NewReader(bytes.NewReader(text)), &c)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		want := in.Rows * in.Cols
		switch m.symmetry {
		case symmetric:
			want = (want + in.Rows) / 2
		case skewSymmetric:
			want = (want - in.Rows) / 2
		}
		if in.Rows < 0 || in.Cols < 0 || int64(len(c.elements)) != want || !in.Fortran {
			t.Fatalf("%+v, and %d elements, want %d", in, len(c.elements), want)
		}
	})
}

// FuzzArchive looks for archives that crash the reader, make it write more than
// they may, or read outside the file.
func FuzzArchive(f *testing.F) {
	for _, name := range []string{"stored.npz", "deflated.npz"} {
		content, err := os.ReadFile("testdata/formats/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content, "f8")
		f.Add(content[:len(content)/2], "")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte, member string) {
		openArchive(t, dir, content, member)
	})
}

// FuzzMember looks for members that do the same, in an archive whose tables are
// sound but for what they claim of the member.
func FuzzMember(f *testing.F) {
	array, err := os.ReadFile("testdata/numpy/f8-little-C-v1.npy")
	if err != nil {
		f.Fatal(err)
	}
	var deflated bytes.Buffer
	w, err := flate.NewWriter(&deflated, flate.BestCompression)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := w.Write(array); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(array, crc32.ChecksumIEEE(array), uint64(len(array)), false)
	f.Add(deflated.Bytes(), crc32.ChecksumIEEE(array), uint64(len(array)), true)
	f.Add(deflated.Bytes(), uint32(0), uint64(1)<<40, true)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, payload []byte, sum uint32, size uint64, compressed bool) {
		h := zip.FileHeader{Name: "m.npy", CRC32: sum, CompressedSize64: uint64(len(payload)), UncompressedSize64: size}
		if compressed {
			h.Method = zip.Deflate
		}
		var archive bytes.Buffer
		w := zip.NewWriter(&archive)
		m, err := w.CreateRaw(&h)
		if err != nil {
			return // the size cannot be written
		}
		if _, err := m.Write(payload); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		openArchive(t, dir, archive.Bytes(), "m")
	})
}

// openArchive opens a member: it may be refused, or is a matrix that can be read.
func openArchive(t *testing.T, dir string, archive []byte, member string) {
	path := filepath.Join(dir, "m.npz")
	file := scratchFile(t, path, archive)
	most := maxInflation * (int64(len(archive)) + 1)
	o := &Opener{Dir: dir, Afford: func(size, _ int64) error {
		if size > most {
			t.Fatalf("a copy of %d bytes of an archive of %d", size, len(archive))
		}
		return nil
	}}
	m, err := o.loadNow(context.Background(), file, name{text: path, path: path, member: member})
	if err != nil {
		file.Close()
		checkRefusal(t, err)
		return
	}
	defer m.Close()
	checkInfo(t, Info{Rows: m.Rows, Cols: m.Cols, Dims: m.Dims, Elem: m.Elem, BigEndian: m.BigEndian, Fortran: m.Fortran, Offset: 10}, 10)
	count, _ := m.Vectors()
	if err := Read(m, make([]float64, m.Rows*m.Cols), 0, count, nil); err != nil {
		checkRefusal(t, err)
	}
}

// FuzzName looks for names that crash the parser or have layouts that cannot be.
func FuzzName(f *testing.F) {
	for _, s := range []string{"a.npz:b", "a:2x3,f4,big,fortran", "a:9999999999x9999999999", "-", ":", "a:x", "a:1x1,", strings.Repeat("a", 400) + ":1x1,", "a:1x" + strings.Repeat("1", 400), "\x9d.npZ:", "\x9d.npZ:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseName(text)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if in := n.layout; in != nil {
			checkInfo(t, Info{Rows: in.Rows, Cols: in.Cols, Dims: in.Dims, Elem: in.Elem, BigEndian: in.BigEndian, Fortran: in.Fortran, Offset: 10}, 10)
		}
		if !strings.HasPrefix(text, n.path) {
			t.Fatalf("%q has the path %q", text, n.path)
		}
	})
}
