package matfile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"matmul/internal/elem"
)

// openAny opens what is named, in any format.
func openAny(t *testing.T, name string) *File {
	t.Helper()
	f, err := (&Opener{Dir: t.TempDir()}).Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// refusal returns the error of opening what is named.
func refusal(t *testing.T, name string) error {
	t.Helper()
	f, err := (&Opener{Dir: t.TempDir()}).Open(t.Context(), name)
	if err == nil {
		f.Close()
		t.Errorf("%s was opened", name)
	}
	return err
}

// rowMajor returns the elements of f in the order of rows.
func rowMajor(t *testing.T, f *File) []float64 {
	t.Helper()
	stored := readAll[float64](t, f)
	if !f.Fortran {
		return stored
	}
	m := make([]float64, len(stored))
	for k, v := range stored {
		row, col := int64(k)%f.Rows, int64(k)/f.Rows
		m[row*f.Cols+col] = v
	}
	return m
}

// special are values that text must give back bit by bit.
var special = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.1, 1e6, 123456789, 1 << 53, -(1<<53 - 1), math.Pi, 5e-324, -2.2250738585072014e-308,
	math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 1e21, 1e-7, math.Nextafter(1, 2), 9007199254740993,
}

// testMatrix returns a matrix of special and random values.
func testMatrix(t *testing.T, rows, cols int64, e elem.Type) *Output {
	t.Helper()
	o, err := CreateScratch(t.TempDir(), rows, cols, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Abort() })
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	wide, narrow := make([]float64, rows*cols), make([]float32, rows*cols)
	for i := range wide {
		wide[i] = special[i%len(special)]
		if i >= len(special) {
			wide[i] = math.Float64frombits(rng.Uint64())
		}
		if math.IsNaN(wide[i]) {
			wide[i] = math.NaN()
		}
		narrow[i] = float32(wide[i])
	}
	if e == elem.Float32 {
		err = Write(o, narrow, 0)
	} else {
		err = Write(o, wide, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func asFile(o *Output) *File { return &File{Info: o.Info, File: o.File()} }

// writeFormat writes o to a new file in a directory of its own and returns the name
// by which it is read, and what was written.
func writeFormat(t *testing.T, o *Output, format Format) (name string, to Target, written Digest) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m."+format.String())
	to, err := ParseTarget(path, "")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if written, err = to.Write(t.Context(), f, asFile(o), nil); err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat()
	if most := to.Size(o.Rows, o.Cols, o.Elem); err != nil || st.Size() > most {
		t.Errorf("%v takes %d bytes, more than the %d that were foreseen (%v)", format, st.Size(), most, err)
	}
	if format == Raw {
		path = fmt.Sprintf("%s:%dx%d,%v", path, o.Rows, o.Cols, o.Elem)
	}
	return path, to, written
}

func TestEveryFormatGivesBackEveryBit(t *testing.T) {
	for format := range Format(len(formatNames)) {
		for _, e := range []elem.Type{elem.Float64, elem.Float32} {
			for _, shape := range [][2]int64{{1, 1}, {1, 20}, {20, 1}, {7, 13}, {300, 301}, {1, 9000}, {9000, 1}, {0, 3}, {3, 0}, {0, 0}} {
				if format.IsText() && shape[0]*shape[1] == 0 {
					continue // which Check refuses
				}
				t.Run(fmt.Sprintf("%v/%v/%dx%d", format, e, shape[0], shape[1]), func(t *testing.T) {
					o := testMatrix(t, shape[0], shape[1], e)
					name, to, written := writeFormat(t, o, format)
					f := openAny(t, name)
					if f.Rows != o.Rows || f.Cols != o.Cols {
						t.Fatalf("the shape is %s, want %s", f.Shape(), o.Shape())
					}
					got, want := rowMajor(t, f), rowMajor(t, asFile(o))
					if e == elem.Float32 { // which text does not tell from float64
						for i, v := range got {
							got[i] = float64(float32(v))
						}
					}
					if !slices.EqualFunc(got, want, sameBits) {
						t.Error("elements differ")
					}
					read, err := to.Reread(t.Context(), f.named(), o.Info, nil)
					if err != nil || read != written {
						t.Errorf("read again: %v, %v, want %v", read, err, written)
					}
				})
			}
		}
	}
}

func TestRereadNoticesWhateverChangesAnElement(t *testing.T) {
	for _, format := range []Format{CSV, Market, Npz, Raw, Npy} {
		o := testMatrix(t, 2, 3, elem.Float64)
		name, to, written := writeFormat(t, o, format)
		path, _, _ := strings.Cut(name, ":2x3")
		content := get(t, path)
		noticed := 0
		for bit := range 8 * len(content) {
			f := scratchFile(t, path, flipped(content, bit))
			read, err := to.Reread(t.Context(), f, o.Info, nil)
			f.Close()
			switch {
			case err != nil || read != written:
				noticed++
			case format == Raw:
				t.Errorf("bit %d of %v was not noticed", bit, format)
			case format.IsText(): // a capital letter, or other white space
				var c collector
				if _, err := readText(bufio.NewReader(bytes.NewReader(flipped(content, bit))), &c); err != nil || !slices.EqualFunc(c.elements, rowMajor(t, asFile(o)), sameBits) {
					t.Errorf("bit %d of %v was not noticed: %v, %v", bit, format, c.elements, err)
				}
			}
		}
		if noticed < 4*len(content) && format != Npz { // most of a small archive is not of the matrix
			t.Errorf("%v: only %d of %d bits were noticed", format, noticed, 8*len(content))
		}
	}
}

func flipped(content []byte, bit int) []byte {
	b := slices.Clone(content)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

// TestOpenerReadsWhatNumPyWrote reads testdata/formats, which make.py there wrote.
func TestOpenerReadsWhatNumPyWrote(t *testing.T) {
	const dir = "testdata/formats/"
	read := 0
	for _, archive := range []string{"stored", "deflated"} {
		for code, e := range codes {
			for _, name := range []string{code, code + "-big-F"} {
				f := openAny(t, dir+archive+".npz:"+name)
				big := strings.Contains(name, "big")
				if f.Elem != e || f.Rows != 3 || f.Cols != 5 || f.Fortran != big || f.BigEndian != (big && e.Size() > 1) {
					t.Errorf("%s: %+v", f.Path, f.Info)
				}
				want := rowMajor(t, open(t, "testdata/numpy/"+code+"-little-C-v1.npy"))
				if got := rowMajor(t, f); !slices.Equal(got, want) {
					t.Errorf("%s: got %v, want %v", f.Path, got, want)
				}
				if inPlace := f.Copied() == 0; inPlace != (archive == "stored") {
					t.Errorf("%s is read in place: %v", f.Path, inPlace)
				}
				read++
			}
		}
	}
	want := rowMajor(t, open(t, "testdata/numpy/f8-little-C-v1.npy"))
	for _, name := range []string{"savetxt.txt", "savetxt.csv", "savetxt.tsv", "names.csv", "little.raw:3x5", "transposed-big-f4.raw:3x5,f4,big,fortran"} {
		f := openAny(t, dir+name)
		if got := rowMajor(t, f); f.Rows != 3 || f.Cols != 5 || !slices.Equal(got, want) {
			t.Errorf("%s: got %s %v", name, f.Shape(), got)
		}
		read++
	}
	if read < 50 {
		t.Errorf("only %d matrices were read", read)
	}
}

// numpy returns a Python that has NumPy.
func numpy(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import numpy").Run() == nil {
			return python
		}
	}
	t.Skip("there is no NumPy here")
	return ""
}

func TestNumPyReadsWhatIsWritten(t *testing.T) {
	python := numpy(t)
	const script = `
import sys, numpy as np
args = sys.argv[1:]
for kind, path, dtype, want in zip(args[::4], args[1::4], args[2::4], args[3::4]):
    want = np.load(want)
    if kind == "npz": got = np.load(path)["arr_0"]
    elif kind == "npy": got = np.load(path)
    elif kind == "raw": got = np.fromfile(path, dtype).reshape(want.shape)
    elif kind == "mtx":
        lines = open(path).read().split("\n")
        rows, cols = map(int, lines[1].split())
        got = np.array(lines[2:-1], "f8").reshape((rows, cols), order="F")
    else: got = np.loadtxt(path, delimiter={"csv": ",", "tsv": "\t", "txt": None}[kind], ndmin=2)
    assert got.shape == want.shape, (path, got.shape, want.shape)
    got = got.astype(dtype)
    same = (got == want) | np.isnan(got) & np.isnan(want)
    assert same.all() and (np.signbit(got) == np.signbit(want))[~np.isnan(want)].all(), path
`
	args := []string{"-c", script}
	for _, e := range []elem.Type{elem.Float64, elem.Float32} {
		o := testMatrix(t, 23, 9, e)
		want, _, _ := writeFormat(t, o, Npy)
		for format := range Format(len(formatNames)) {
			name, _, _ := writeFormat(t, o, format)
			path, _, _ := strings.Cut(name, ":")
			args = append(args, format.String(), path, e.String(), want)
		}
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestNumbersInTextAreReadAsTheyAreMeant(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{
		{"0", 0}, {"-0", math.Copysign(0, -1)}, {"1.", 1}, {".5", 0.5}, {"+3", 3}, {"1E3", 1000}, {"1e+03", 1000},
		{"0.1000000000000000055511151231257827021181583404541015625", 0.1}, {"9007199254740993", 9007199254740992},
		{"0x1p-2", 0.25}, {"1e-400", 0}, {"4.9e-324", 5e-324}, {`"2.5"`, 2.5}, {`" 2.5 "`, 2.5},
		{"nan", math.NaN()}, {"NaN", math.NaN()}, {"-nan", math.NaN()}, {"+NAN", math.NaN()},
		{"inf", math.Inf(1)}, {"-Inf", math.Inf(-1)}, {"+INFINITY", math.Inf(1)},
	} {
		if got, err := parseNumber([]byte(c.text)); err != nil || !sameBits(got, c.want) {
			t.Errorf("%q: got %v, %v, want %v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", "-", "e5", "1e", "1_000", "1,5", "NA", "null", "0b1", "1d3", "--1", "1 2", `"`, `"1`, "nan(0)", "infinit", "٣"} {
		if got, err := parseNumber([]byte(text)); !errors.Is(err, errNoNumber) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"1e309", "-1e999"} {
		if _, err := parseNumber([]byte(text)); !errors.Is(err, errTooLarge) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTextIsRowsOfNumbers(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ name, text, want string }{
		{"commas", "1,2\n3,4\n", "(2, 2) [1 2 3 4]"},
		{"no newline at the end", "1,2\n3,4", "(2, 2) [1 2 3 4]"},
		{"blanks around numbers", " 1 ,\t2 \n3 , 4 \n", "(2, 2) [1 2 3 4]"},
		{"carriage returns", "1;2\r\n3;4\r\n", "(2, 2) [1 2 3 4]"},
		{"spaces", "  1   2\n3 \t4  \n", "(2, 2) [1 2 3 4]"},
		{"a byte order mark", "\ufeff1,2\n3,4\n", "(2, 2) [1 2 3 4]"},
		{"comments and empty lines", "# x\n\n1 2\n   \n# y 3\n3 4\n\n", "(2, 2) [1 2 3 4]"},
		{"names", "x,y\n1,2\n", "(1, 2) [1 2]"},
		{"names in quotes with commas", "\"x, m\";\"y\"\n1;2\n", "(1, 2) [1 2]"},
		{"one name", "height in cm, or not\n1\n2\n", "(2, 1) [1 2]"},
		{"one number", "7", "(1, 1) [7]"},
		{"quotes", `"1","2"` + "\n", "(1, 2) [1 2]"},
		{"tabs before commas", "1\t2\n", "(1, 2) [1 2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			put(t, "m.csv", []byte(c.text))
			f := openAny(t, "m.csv")
			if got := fmt.Sprint(f.Shape(), " ", rowMajor(t, f)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTextLinesMayBeLongerThanAnyBuffer(t *testing.T) {
	t.Chdir(t.TempDir())
	const n = 100_000
	for _, separator := range []string{",", " "} {
		var text []byte
		for i := range 3 * n {
			text = strconv.AppendInt(text, int64(i), 10)
			if i%n == n-1 {
				text = append(text, '\n')
			} else {
				text = append(text, separator...)
			}
		}
		put(t, "m.txt", text)
		f := openAny(t, "m.txt")
		got := rowMajor(t, f)
		if f.Rows != 3 || f.Cols != n {
			t.Fatalf("got the shape %s", f.Shape())
		}
		for i, v := range got {
			if v != float64(i) {
				t.Fatalf("element %d is %v", i, v)
			}
		}
	}
}

func TestWhatIsWrongWithTextIsNamedByItsPlace(t *testing.T) {
	t.Chdir(t.TempDir())
	const number = ": want a number such as -1.5e3, nan or inf"
	for _, c := range []struct{ text, want string }{
		{"1,2\n3\n", "m.csv: has 1 numbers in line 2: want 2, as in the first row"},
		{"1,2\n\n#\n3,4,5\n", "m.csv: has 3 numbers in line 4: want 2, as in the first row"},
		{"1,2,\n", "m.csv: has nothing in line 1, field 3: want a number"},
		{"1\t\t2\n", "m.csv: has nothing in line 1, field 2: want a number"},
		{"1,2\n3,x\n", `m.csv: has "x" in line 2, field 2` + number},
		{"x,y\nu,v\n", `m.csv: has "u" in line 2, field 1` + number},
		{"x,1\n", `m.csv: has "x" in line 1, field 1` + number},
		{"1 2\n3 4,\n", `m.csv: has "4," in line 2, field 2` + number},
		{"1;2,5\n", `m.csv: has "2,5" in line 1, field 2` + number},
		{"1,1e999\n", `m.csv: has "1e999" in line 1, field 2: want a number that float64 holds; write inf if that is meant`},
		{"x,y\n", "m.csv: holds no numbers: want lines of numbers"},
		{"\n\n# 1\n", "m.csv: holds no numbers: want lines of numbers"},
		{"1,2\n3,\x1b[31m\n", `m.csv: has "\x1b[31m" in line 2, field 2` + number},
		{"1,2\n3," + strings.Repeat("9", 400000) + "\n", fmt.Sprintf("m.csv: has a field of more than %d bytes in line 2, field 2: want a number", readBuffer)},
	} {
		put(t, "m.csv", []byte(c.text))
		wantMessage(t, refusal(t, "m.csv"), c.want)
	}
}

func TestWhatIsWrongWithAMatrixMarketFileIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	head := "%%MatrixMarket matrix array real general\n"
	for _, c := range []struct{ text, want string }{
		{"%%MatrixMarket\n", "m.mtx: has 1 words in its first line: want %%MatrixMarket matrix array real general, or the like"},
		{"1 2\n", `m.mtx: is no Matrix Market file: it begins with "1 2": want %%MatrixMarket`},
		{"%%MatrixMarket vector array real general\n", `m.mtx: holds the Matrix Market object "vector": want a matrix`},
		{"%%MatrixMarket matrix coordinate real general\n2 2 0\n", "m.mtx: is a sparse matrix (Matrix Market coordinate): want a dense one (array)"},
		{"%%MatrixMarket matrix array complex general\n", "m.mtx: holds complex numbers: want real or integer; save the real and the imaginary part as two matrices"},
		{"%%MatrixMarket matrix array pattern general\n", `m.mtx: holds elements that are "pattern": want real or integer`},
		{"%%MatrixMarket matrix array real hermitian\n", `m.mtx: has the symmetry "hermitian": want general, symmetric or skew-symmetric`},
		{head, "m.mtx: ends before the shape of its matrix: want a line such as 3 4; it is truncated: write or copy it again"},
		{head + "2 2 4\n", `m.mtx: has "2 2 4" in line 2: want the numbers of rows and columns, such as 3 4`},
		{head + "2 -2\n", `m.mtx: has "2 -2" in line 2: want the numbers of rows and columns, such as 3 4`},
		{head + "9223372036854775807 2\n", "m.mtx: has the shape (9223372036854775807, 2), which is more than 2^63 bytes"},
		{head + "1000000000 1000000000\n1\n", "m.mtx: ends before the element in row 1, column 0: want the elements of (1000000000, 1000000000); it is truncated: write or copy it again"},
		{"%%MatrixMarket matrix array real symmetric\n2 3\n", "m.mtx: is symmetric and has the shape (2, 3): want a square one"},
		{head + "1 2\n1\n", "m.mtx: ends before the element in row 0, column 1: want the elements of (1, 2); it is truncated: write or copy it again"},
		{head + "1 2\n1\n2\n3\n", `m.mtx: goes on after its matrix, with "3": want the elements of (1, 2)`},
		{head + "2 1\n1\nx\n", `m.mtx: has "x" as the element in row 1, column 0: want a real number`},
		{head + "2 1\n1\n1e999\n", `m.mtx: has "1e999" as the element in row 1, column 0: want a number that float64 holds`},
		{"%%MatrixMarket matrix array integer general\n1 1\n1.5\n", `m.mtx: has "1.5" as the element in row 0, column 0: want an integer, as its first line says`},
		{"%%MatrixMarket matrix array integer general\n1 1\n9007199254740993\n", `m.mtx: has "9007199254740993" as the element in row 0, column 0: want a number that float64 holds`},
	} {
		put(t, "m.mtx", []byte(c.text))
		wantMessage(t, refusal(t, "m.mtx"), c.want)
	}
}

func TestASymmetricMatrixIsFilledFromWhatIsStored(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, n := range []int{0, 1, 2, 3, mirrorBlock - 1, mirrorBlock, mirrorBlock + 1, 2*mirrorBlock + 3} {
		for word, sign := range map[string]float64{"symmetric": 1, "skew-symmetric": -1} {
			text := fmt.Appendf(nil, "%%%%MatrixMarket matrix array integer %s\n%d %d\n", word, n, n)
			want := make([]float64, n*n)
			for j := range n {
				for i := j; i < n; i++ {
					v := float64(1 + i*n + j)
					if i == j && sign < 0 {
						continue
					}
					want[i*n+j], want[j*n+i] = v, sign*v
					text = fmt.Appendf(text, "%d\n", int(v))
				}
			}
			put(t, "m.mtx", text)
			for _, e := range []elem.Type{elem.Float64, elem.Float32} {
				f, err := (&Opener{Dir: ".", Text: e}).Open(t.Context(), "m.mtx")
				if err != nil {
					t.Fatal(err)
				}
				if got := rowMajor(t, f); f.Elem != e || f.Rows != int64(n) || !slices.Equal(got, want) {
					t.Errorf("%s of %d rows in %v is another matrix", word, n, e)
				}
				f.Close()
			}
		}
	}
}

func TestATruncatedFileIsRefusedAtEveryByte(t *testing.T) {
	for _, format := range []Format{Npy, Npz, Market, Raw} {
		o := testMatrix(t, 3, 4, elem.Float64)
		name, _, _ := writeFormat(t, o, format)
		path, layout, _ := strings.Cut(name, ":")
		whole := get(t, path)
		if format == Market {
			whole = bytes.TrimRight(whole[:bytes.LastIndexByte(bytes.TrimSpace(whole), '\n')], "\n") // the last number may be another one
		}
		short := filepath.Join(filepath.Dir(path), "short."+format.String())
		named := short
		if format == Raw {
			named += ":" + layout
		}
		what, err := parseName(named)
		if err != nil {
			t.Fatal(err)
		}
		for n := range whole {
			f := scratchFile(t, short, whole[:n])
			m, err := (&Opener{Dir: filepath.Dir(path)}).loadNow(t.Context(), f, what)
			if m != nil {
				t.Errorf("%v is read from %d of %d bytes", format, n, len(whole))
			}
			oneLine(t, err, named+": ")
			f.Close()
		}
	}
	// Lines of numbers do not say how many there are.
	o := testMatrix(t, 3, 4, elem.Float64)
	path, _, _ := writeFormat(t, o, CSV)
	whole := get(t, path)
	for n := range whole {
		short := scratchFile(t, path, whole[:n])
		f, err := (&Opener{Dir: filepath.Dir(path)}).loadNow(t.Context(), short, name{text: path, path: path})
		if err != nil {
			short.Close()
			oneLine(t, err, path+": ")
			continue
		}
		if f.Cols != 4 && f.Rows != 1 {
			t.Errorf("after %d bytes it has the shape %s", n, f.Shape())
		}
		f.Close()
	}
}

// TestEveryBitOfAnArchiveIsCovered: a flipped bit is noticed, or says nothing of the
// matrix.
func TestEveryBitOfAnArchiveIsCovered(t *testing.T) {
	array := get(t, "testdata/numpy/i2-little-C-v1.npy")
	want := rowMajor(t, open(t, "testdata/numpy/i2-little-C-v1.npy"))
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		var whole bytes.Buffer
		w := zip.NewWriter(&whole)
		for _, name := range []string{"other", "m"} {
			m, err := w.CreateHeader(&zip.FileHeader{Name: name + npySuffix, Method: method})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Write(array); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "m.npz")
		o := &Opener{Dir: t.TempDir()}
		refused := 0
		for bit := range 8 * whole.Len() {
			f := scratchFile(t, path, flipped(whole.Bytes(), bit))
			m, err := o.loadNow(t.Context(), f, name{text: path + ":m", path: path, member: "m"})
			if err != nil {
				refused++
				f.Close()
				oneLine(t, err, path+":m: ")
				continue
			}
			if got := rowMajor(t, m); !slices.Equal(got, want) {
				t.Fatalf("bit %d makes another matrix: %v", bit, got)
			}
			m.Close()
		}
		if refused < 2*whole.Len() {
			t.Errorf("method %d: only %d flipped bits of %d were noticed", method, refused, 8*whole.Len())
		}
	}
}

// scratchFile returns an open file with the content. It writes over an old one,
// which is faster than to cut it first.
func scratchFile(t testing.TB, path string, content []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err == nil {
		_, err = f.WriteAt(content, 0)
	}
	if st, _ := f.Stat(); err == nil && st.Size() > int64(len(content)) {
		err = f.Truncate(int64(len(content)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// loadNow is Open for a file that is open: it does not wait until changes would show.
func (o *Opener) loadNow(ctx context.Context, f *os.File, n name) (*File, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r := io.NewSectionReader(f, 0, st.Size())
	m, err := o.load(ctx, &source{name: n, file: f, st: st}, io.NopCloser(r))
	return m, nameError(err, n.text)
}

func TestAnArchiveMayNotClaimMoreThanItHas(t *testing.T) {
	t.Chdir(t.TempDir())
	o := testMatrix(t, 3, 4, elem.Float64)
	name, _, _ := writeFormat(t, o, Npz)
	whole := get(t, name)
	table := bytes.LastIndex(whole, []byte("PK\x01\x02"))
	for _, c := range []struct {
		name   string
		change func(b []byte)
		want   string
	}{
		{"another method", func(b []byte) { b[table+10] = 93 }, "m.npz: is compressed by method 93: want stored or deflated; write it with numpy.savez or savez_compressed"},
		{"encrypted", func(b []byte) { b[table+8] |= 1 }, "m.npz: is encrypted: want a plain archive"},
		{"larger than stored", func(b []byte) { b[table+27] = 1 }, "m.npz: claims 16777440 bytes that take 224, stored; the archive is damaged: write or copy it again"},
		{"deflated from nothing", func(b []byte) { b[table+10], b[table+26] = 8, 255 }, "m.npz: claims 16711904 bytes that are deflated to 224, which cannot be; the archive is damaged: write or copy it again"},
		{"another checksum", func(b []byte) { b[table+16]++ }, "m.npz: does not have its checksum; the archive is damaged: write or copy it again"},
	} {
		b := slices.Clone(whole)
		c.change(b)
		put(t, "m.npz", b)
		t.Run(c.name, func(t *testing.T) { wantMessage(t, refusal(t, "m.npz"), c.want) })
	}
}

func TestCopiesAskForRoomAndLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	o := testMatrix(t, 50, 50, elem.Float64)
	descriptors := len(list(t, "/proc/self/fd"))
	for _, format := range []Format{CSV, Market} {
		name, _, _ := writeFormat(t, o, format)
		full := errors.New("there is no room")
		asked := int64(0)
		f, err := (&Opener{Dir: dir, Afford: func(size, more int64) error { asked = size; return full }}).Open(t.Context(), name)
		if f != nil || !errors.Is(err, full) || asked < 1 {
			t.Errorf("%v: %v, after %d bytes were asked for", format, err, asked)
		}
	}
	for _, archive := range []string{"deflated", "stored"} {
		asked := int64(-1)
		f, err := (&Opener{Dir: dir, Afford: func(size, more int64) error { asked = size; return nil }}).Open(t.Context(), "testdata/formats/"+archive+".npz:f4")
		if err != nil {
			t.Fatal(err)
		}
		if want := f.Copied(); archive == "deflated" && asked != want || archive == "stored" && asked != -1 {
			t.Errorf("%s: %d bytes were asked for", archive, asked)
		}
		f.Close()
	}
	if _, err := (&Opener{Dir: filepath.Join(dir, "gone")}).Open(t.Context(), "testdata/formats/names.csv"); err == nil {
		t.Error("a copy was made where there is no directory")
	}
	wantNames(t, dir)
	if now := len(list(t, "/proc/self/fd")); now > descriptors {
		t.Errorf("%d descriptors became %d", descriptors, now)
	}
}

func TestAChangeOfWhatWasCopiedIsNoticed(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "m.csv", []byte("1,2\n"))
	f := openAny(t, "m.csv")
	if err := f.Changed(); err != nil {
		t.Fatal(err)
	}
	if err := CheckOutput("m.csv", true, f); err == nil {
		t.Error("the file that was copied may be overwritten")
	}
	put(t, "m.csv", []byte("1,2\n3,4\n"))
	wantMessage(t, f.Changed(), "m.csv: was extended while it was in use; run again when nothing writes to it")
}

func TestAFingerprintTellsMembersAndLayoutsApart(t *testing.T) {
	seen := map[Fingerprint]string{}
	for _, name := range []string{"stored.npz:f8", "stored.npz:f8-big-F", "stored.npz:u1", "deflated.npz:f8", "deflated.npz:f4",
		"little.raw:3x5", "little.raw:5x3", "little.raw:3x5,fortran", "little.raw:3x5,i8", "names.csv"} {
		p, err := openAny(t, "testdata/formats/"+name).Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		again, err := openAny(t, "testdata/formats/"+name).Fingerprint()
		if err != nil || again != p {
			t.Errorf("%s: %v, then %v (%v)", name, p, again, err)
		}
		if other := seen[p]; other != "" {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[p] = name
	}
}

func TestAPipeIsReadToItsEnd(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o666); err != nil {
		t.Fatal(err)
	}
	want := rowMajor(t, openAny(t, examplePath(t, "names.csv")))
	prints := map[Fingerprint]bool{}
	for range 2 {
		for _, c := range []struct{ file, layout string }{{"names.csv", ""}, {"little.raw", ":3x5"}, {"savetxt.txt", ""}} {
			content := get(t, examplePath(t, c.file))
			go func() {
				w, err := os.OpenFile("pipe", os.O_WRONLY, 0)
				if err != nil {
					return
				}
				defer w.Close()
				for _, b := range content { // as slow as can be
					if _, err := w.Write([]byte{b}); err != nil {
						return
					}
				}
			}()
			f := openAny(t, "pipe"+c.layout)
			if got := rowMajor(t, f); !slices.Equal(got, want) {
				t.Errorf("%s: got %v", c.file, got)
			}
			if err := f.Changed(); err != nil {
				t.Errorf("%s: %v", c.file, err)
			}
			p, err := f.Fingerprint()
			if err != nil {
				t.Fatal(err)
			}
			prints[p] = true
			f.Close()
		}
	}
	if len(prints) != 1 {
		t.Errorf("the same matrix from pipes has %d fingerprints", len(prints))
	}
}

func examplePath(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(testdata, "formats", name)
}

// testdata is where it is from every directory.
var testdata = func() string {
	path, err := filepath.Abs("testdata")
	if err != nil {
		panic(err)
	}
	return path
}()

func TestWaitingForAPipeEndsWithItsContext(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o666); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("the test ends it")
	for _, written := range []string{"", "1,2\n3"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		opened := make(chan error, 1)
		go func() {
			_, err := (&Opener{Dir: "."}).Open(ctx, "pipe")
			opened <- err
		}()
		if written != "" {
			w, err := os.OpenFile("pipe", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if _, err := w.WriteString(written); err != nil {
				t.Fatal(err)
			}
		}
		cancel(stop)
		select {
		case err := <-opened:
			if !errors.Is(err, stop) {
				t.Errorf("after %q: %v", written, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("after %q Open goes on waiting", written)
		}
	}
	// Whoever waits for the writer in the background is let go.
	if w, err := os.OpenFile("pipe", os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		w.Close()
	}
}

func TestAnOutputThatIsThereAlreadyIsTakenForDone(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(text string, force, again bool) (*Output, error) {
		o, err := CreateBlank("m.csv", force, again)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { o.Abort() })
		_, err = o.File().WriteString(text)
		return o, err
	}
	commit := func(text string, force, again bool) error {
		o, err := write(text, force, again)
		if err != nil {
			return err
		}
		return o.CommitUnlessThere()
	}
	const exists = "m.csv: exists; use --force to replace it"
	for _, c := range []struct {
		text         string
		force, again bool
		want         string
	}{
		{"1,2\n", false, false, ""},
		{"1,2\n", false, false, exists},
		{"1,2\n", false, true, ""},
		{"1,3\n", false, true, exists},
		{"1,2\n3,4\n", false, true, exists},
		{"1,3\n", true, true, ""},
	} {
		before := ""
		if b, err := os.ReadFile("m.csv"); err == nil {
			before = string(b)
		}
		err := commit(c.text, c.force, c.again)
		want := c.text
		if c.want != "" {
			wantMessage(t, err, c.want)
			want = before
		} else if err != nil {
			t.Error(err)
		}
		if got := string(get(t, "m.csv")); got != want {
			t.Errorf("%+v: the file holds %q", c, got)
		}
		wantNames(t, ".", "m.csv")
	}
}

func TestNamesSayWhichMatrix(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "a.npz:b", nil)
	put(t, "c:2x3", nil)
	for _, c := range []struct{ text, path, member, layout string }{
		{"a.npy", "a.npy", "", ""},
		{"a.npz", "a.npz", "", ""},
		{"a.npz:b", "a.npz:b", "", ""}, // which is there
		{"a.npz:c", "a.npz", "c", ""},
		{"A.NPZ:x/y:z.npy", "A.NPZ", "x/y:z.npy", ""},
		{"a.npz:", "a.npz:", "", ""},
		{"c:2x3", "c:2x3", "", ""},
		{"d:2x3", "d", "", "(2, 3) of float64 false false"},
		{"d:2x3,f4,fortran,big", "d", "", "(2, 3) of float32 true true"},
		{"d:2x3,u1,big", "d", "", "(2, 3) of uint8 false false"},
		{"d:2x3,float32,C,little", "d", "", "(2, 3) of float32 false false"},
		{"d:x3", "d:x3", "", ""},
		{"d:2", "d:2", "", ""},
		{":2x3", ":2x3", "", ""},
		{"/dev/fd/63:2x3", "/dev/fd/63", "", "(2, 3) of float64 false false"},
	} {
		n, err := parseName(c.text)
		layout := ""
		if n.layout != nil {
			layout = fmt.Sprintf("%s of %v %v %v", n.layout.Shape(), n.layout.Elem, n.layout.Fortran, n.layout.BigEndian)
		}
		if err != nil || n.path != c.path || n.member != c.member || layout != c.layout {
			t.Errorf("%s: got %+v %s, %v", c.text, n, layout, err)
		}
	}
}

func TestAnExtensionSaysTheFormatOfAnOutput(t *testing.T) {
	for _, c := range []struct {
		text, format string
		want         Target
	}{
		{"c.npy", "", Target{"c.npy", Npy, false, "arr_0"}},
		{"c", "", Target{"c", Npy, false, "arr_0"}},
		{"c.MTX", "", Target{"c.MTX", Market, false, "arr_0"}},
		{"c.bin", "", Target{"c.bin", Raw, false, "arr_0"}},
		{"c.npz", "", Target{"c.npz", Npz, false, "arr_0"}},
		{"c.npz:x", "", Target{"c.npz", Npz, false, "x"}},
		{"c.dat", "csv", Target{"c.dat", CSV, false, "arr_0"}},
		{"-", "", Target{"-", Npy, true, "arr_0"}},
		{"-", "tsv", Target{"-", TSV, true, "arr_0"}},
	} {
		if got, err := ParseTarget(c.text, c.format); err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v", c.text, got, err)
		}
	}
}

// BenchmarkText shows how fast text is read and written, by one processor.
func BenchmarkText(b *testing.B) {
	const rows, cols = 400, 500
	o, err := CreateScratch(b.TempDir(), rows, cols, elem.Float64)
	if err != nil {
		b.Fatal(err)
	}
	defer o.Abort()
	rng := rand.New(rand.NewPCG(1, 2))
	m := make([]float64, rows*cols)
	for i := range m {
		m[i] = rng.Float64() - 0.5
	}
	if err := Write(o, m, 0); err != nil {
		b.Fatal(err)
	}
	for _, format := range []Format{CSV, Market} {
		path := filepath.Join(b.TempDir(), "m."+format.String())
		to, err := ParseTarget(path, "")
		if err != nil {
			b.Fatal(err)
		}
		file, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		defer file.Close()
		write := func(b *testing.B) {
			if _, err := file.Seek(0, 0); err != nil {
				b.Fatal(err)
			}
			if _, err := to.Write(b.Context(), file, asFile(o), nil); err != nil {
				b.Fatal(err)
			}
		}
		write(b)
		st, err := file.Stat()
		if err != nil {
			b.Fatal(err)
		}
		b.Run("write/"+format.String(), func(b *testing.B) {
			b.SetBytes(st.Size())
			for b.Loop() {
				write(b)
			}
		})
		opener := &Opener{Dir: b.TempDir()}
		b.Run("read/"+format.String(), func(b *testing.B) {
			b.SetBytes(st.Size())
			for b.Loop() {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				m, err := opener.loadNow(b.Context(), f, name{text: path, path: path})
				if err != nil {
					b.Fatal(err)
				}
				m.Close()
			}
		})
	}
}
