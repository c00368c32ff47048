package matfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"matmul/internal/elem"
)

const good = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }\n"

func TestParseReadsEveryFixtureThatNumPyWrote(t *testing.T) {
	named := map[string]Info{
		"vector":         {Rows: 6, Cols: 1, Dims: 1, Elem: elem.Float64},
		"vector-f4-big":  {Rows: 6, Cols: 1, Dims: 1, Elem: elem.Float32, BigEndian: true},
		"vector-fortran": {Rows: 6, Cols: 1, Dims: 1, Elem: elem.Float64, Offset: 67},
		"one-row":        {Rows: 1, Cols: 6, Dims: 2, Elem: elem.Float64},
		"one-column":     {Rows: 6, Cols: 1, Dims: 2, Elem: elem.Float64},
		"no-rows":        {Rows: 0, Cols: 5, Dims: 2, Elem: elem.Float64},
		"no-columns":     {Rows: 5, Cols: 0, Dims: 2, Elem: elem.Float64},
		"no-elements":    {Rows: 0, Cols: 1, Dims: 1, Elem: elem.Float64},
		"strided":        {Rows: 2, Cols: 2, Dims: 2, Elem: elem.Float64},
		"special":        {Rows: 6, Cols: 1, Dims: 1, Elem: elem.Float64},
		"int64-limits":   {Rows: 2, Cols: 2, Dims: 2, Elem: elem.Int64},
		"int64-inexact":  {Rows: 2, Cols: 2, Dims: 2, Elem: elem.Int64, Fortran: true},
		"unaligned":      {Rows: 2, Cols: 3, Dims: 2, Elem: elem.Float64, Offset: 68},
		"no-newline":     {Rows: 2, Cols: 3, Dims: 2, Elem: elem.Float64, Offset: 67},
		"python2-long":   {Rows: 2, Cols: 3, Dims: 2, Elem: elem.Float64, Offset: 72},
		"spaced":         {Rows: 2, Cols: 3, Dims: 2, Elem: elem.Float64, Offset: 78},
		"one-byte-order": {Rows: 2, Cols: 3, Dims: 2, Elem: elem.Uint8, Offset: 68},
		"f8-big-F-v3":    {Rows: 3, Cols: 5, Dims: 2, Elem: elem.Float64, BigEndian: true, Fortran: true},
		"u2-big-C-v1":    {Rows: 3, Cols: 5, Dims: 2, Elem: elem.Uint16, BigEndian: true},
		"b1-big-C-v1":    {Rows: 3, Cols: 5, Dims: 2, Elem: elem.Bool},
		"f4-little-C-v2": {Rows: 3, Cols: 5, Dims: 2, Elem: elem.Float32},
		"i8-little-F-v1": {Rows: 3, Cols: 5, Dims: 2, Elem: elem.Int64, Fortran: true},
		"u1-little-F-v1": {Rows: 3, Cols: 5, Dims: 2, Elem: elem.Uint8, Fortran: true},
	}
	seen := 0
	for _, path := range fixtures(t, "numpy") {
		f := open(t, path)
		if f.Path != path || !f.Elem.Valid() {
			t.Errorf("%s: got %+v", path, f.Info)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(path, "testdata/numpy/"), ".npy")
		want, ok := named[name]
		if !ok {
			continue
		}
		seen++
		if want.Path = path; want.Offset == 0 {
			want.Offset = 128 // NumPy's own headers
		}
		if f.Info != want {
			t.Errorf("%s: got %+v, want %+v", path, f.Info, want)
		}
	}
	if seen != len(named) {
		t.Errorf("%d of %d named fixtures are there", seen, len(named))
	}
}

func TestParseReadsNoByteBeyondTheHeader(t *testing.T) {
	for _, path := range fixtures(t, "numpy") {
		r := bytes.NewReader(get(t, path))
		in, err := Parse(iotest.OneByteReader(r))
		if err != nil || r.Size()-int64(r.Len()) != in.Offset {
			t.Errorf("%s: %d bytes read of a header of %d: %v", path, r.Size()-int64(r.Len()), in.Offset, err)
		}
	}
}

func TestParseReportsAFailingReaderAsItIs(t *testing.T) {
	var e *Error
	_, err := Parse(iotest.ErrReader(os.ErrDeadlineExceeded))
	if !errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
	_, err = Parse(io.MultiReader(strings.NewReader(magic+"\x01\x00"), iotest.ErrReader(os.ErrDeadlineExceeded)))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestParseRefusesAHeaderTruncatedAtAnyByte(t *testing.T) {
	for _, path := range append(fixtures(t, "numpy"), fixtures(t, "refused")...) {
		content := get(t, path)
		in, err := Parse(bytes.NewReader(content))
		if err != nil {
			in.Offset = 100
		}
		for n := range in.Offset {
			_, err := Parse(bytes.NewReader(content[:n]))
			oneLine(t, err, "")
		}
	}
}

// TestEveryFlippedBitOfAHeaderIsRefusedOrReadAsNpyioReadsIt: the format has no
// checksum, so a header may come to mean another matrix of the same size.
func TestEveryFlippedBitOfAHeaderIsRefusedOrReadAsNpyioReadsIt(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, version := range []byte{1, 2, 3} {
		content := npyBytes(version, good, strings.Repeat("12345678", 12))
		put(t, "A.npy", content)
		head := open(t, "A.npy").Offset
		for bit := range 8 * head {
			flipped := bytes.Clone(content)
			flipped[bit/8] ^= 1 << (bit % 8)
			put(t, "A.npy", flipped)
			f, err := Open("A.npy")
			if err != nil {
				oneLine(t, err, "A.npy: ")
				continue
			}
			if f.Offset+f.DataSize() != int64(len(content)) {
				t.Errorf("bit %d: %+v of %d bytes", bit, f.Info, len(content))
			}
			compareWithNpyio(t, f.Info, flipped)
			f.Close()
		}
	}
}

func header1(descr, fortran, shape string) []byte {
	return npyBytes(1, "{'descr': "+descr+", 'fortran_order': "+fortran+", 'shape': "+shape+", }\n", "")
}

func shaped(shape string) []byte { return header1("'<f8'", "False", shape) }
func typed(descr string) []byte  { return header1(descr, "False", "(2, 2)") }

func TestParseSaysWhatIsWrong(t *testing.T) {
	const types = ": want float64, float32, integers of 8 to 64 bits, or bool; "
	const convert = types + "convert it with array.astype('f8')"
	const keys = ": want 'descr', 'fortran_order' and 'shape'"
	const literals = "has a header that is not a dictionary of literals: "
	const save = "; write it with numpy.save"
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"an empty file", nil, "is empty: want an .npy file"},
		{"a file that ends in the magic", []byte(magic[:3]), "ends after 3 bytes, inside its .npy header: want at least 8; it is truncated: write or copy it again"},
		{"a file that ends in the length", []byte(magic + "\x02\x00\x01"), "ends after 9 bytes, inside its .npy header: want at least 12; it is truncated: write or copy it again"},
		{"a header length beyond the file", []byte(magic + "\x01\x00\xff\xff{"), "ends after 11 bytes, inside its .npy header: want at least 65545; it is truncated: write or copy it again"},
		{"a header length of 4 GiB", []byte(magic + "\x02\x00\xff\xff\xff\xff{"), "claims a header of 4294967295 bytes: want at most 65535; its header is damaged"},
		{"text", []byte("1.0,2.0\n3.0,4.0\n"), `is not an .npy file: it begins with "1.0,2.": want "\x93NUMPY"; write it with numpy.save`},
		{"version 0", []byte(magic + "\x00\x00\x00\x00"), "has the .npy version 0.0: want 1.0, 2.0 or 3.0"},
		{"version 4", []byte(magic + "\x04\x00\x00\x00"), "has the .npy version 4.0: want 1.0, 2.0 or 3.0"},
		{"version 1.1", []byte(magic + "\x01\x01\x00\x00"), "has the .npy version 1.1: want 1.0, 2.0 or 3.0"},
		{"an empty header", npyBytes(1, "", ""), literals + "it ends where a literal should be" + save},
		{"a header that is no dictionary", npyBytes(1, "('<f8', False)\n", ""), "has a header that is not a dictionary: want one with 'descr', 'fortran_order' and 'shape'"},
		{"code as the header", npyBytes(1, "__import__('os').system('true')\n", ""), literals + `"__import__('os').system('true')\n" at byte 0, where a literal should be` + save},
		{"code in the shape", shaped("(2, len('ab'))"), literals + `"len('ab')), }\n" at byte 54, where a literal should be` + save},
		{"code after the dictionary", npyBytes(1, good+"; import os", ""), literals + `"; import os" at byte 60, where nothing more should be` + save},
		{"an expression", shaped("(2, 1+1)"), literals + `"+1), }\n" at byte 55, where ',' or ')' should be` + save},
		{"zero bytes as padding", npyBytes(1, good+"\x00\x00", ""), literals + `"\x00\x00" at byte 60, where nothing more should be` + save},
		{"a string without an end", npyBytes(1, "{'descr", ""), literals + `"'descr" at byte 1, where a string with an end should be` + save},
		{"a dictionary without an end", npyBytes(1, "{'descr': '<f8'", ""), literals + "it ends where ',' or '}' should be" + save},
		{"nesting a thousand deep", npyBytes(1, strings.Repeat("(", 1000), ""), literals + `"` + strings.Repeat("(", 40) + `"… at byte 9, where a value nested less deeply should be` + save},
		{"an unknown key", npyBytes(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), 'x': 1}", ""), `has a header with an unknown key "x"` + keys},
		{"a key that is a tuple", npyBytes(1, "{(): 1}", ""), "has a header with an unknown key that is not a string" + keys},
		{"a missing key", npyBytes(1, "{'descr': '<f8', 'shape': (3, 4)}", ""), "has a header without the key 'fortran_order'" + keys},
		{"no keys", npyBytes(1, "{}", ""), "has a header without the key 'descr'" + keys},
		{"a key twice", npyBytes(1, "{'shape': (1, 2), 'shape': (3, 4)}", ""), "has a header with the key 'shape' twice" + keys},
		{"an order that is a number", header1("'<f8'", "0", "(3, 4)"), "has a header whose 'fortran_order' is not a boolean: want True or False"},
		{"a type that is a number", typed("8"), "has a header whose 'descr' is not a string: want one such as '<f8'"},
		{"no type", typed("''"), `has elements of the unknown type ""` + convert},
		{"a type without byte order", typed("'f8'"), `has elements of the unknown type "f8"` + convert},
		{"a type in the order of the machine", typed("'=f8'"), `has elements of the unknown type "=f8"` + convert},
		{"a long type", typed("'<" + strings.Repeat("f", 99) + "'"), `has elements of the unknown type "<` + strings.Repeat("f", 39) + `"…` + convert},
		{"a type over two lines", typed(`'<f8\n'`), `has elements of the unknown type "<f8\\n"` + convert},
		{"objects", typed("'|O'"), "holds Python objects, which only running code from the file could load" + convert},
		{"complex", typed("'<c16'"), `holds complex numbers ("<c16")` + types + "save array.real and array.imag as two matrices"},
		{"half precision", typed("'<f2'"), `holds float16 elements ("<f2")` + convert},
		{"extended precision", typed("'<f16'"), `holds long double elements ("<f16")` + convert},
		{"strings", typed("'<U5'"), `holds strings ("<U5")` + convert},
		{"times", typed("'<M8[ns]'"), `holds dates or times ("<M8[ns]")` + convert},
		{"raw bytes", typed("'|V4'"), `holds raw bytes ("|V4")` + convert},
		{"records", typed("[('x', '<f8')]"), "holds records (a structured type)" + types + "save one field: numpy.save(file, array['field'])"},
		{"a list as shape", shaped("[3, 4]"), "has a header whose 'shape' is not a tuple: want one such as (3, 4)"},
		{"an integer as shape", shaped("(3)"), "has a header whose 'shape' is not a tuple: want one such as (3, 4)"},
		{"a shape of strings", shaped("('3', 4)"), "has a shape with a length that is not an integer: want one such as (3, 4)"},
		{"a shape of booleans", shaped("(True, 4)"), "has a shape with a length that is not an integer: want one such as (3, 4)"},
		{"a fractional shape", shaped("(3.5, 4)"), literals + `".5, 4), }\n" at byte 52, where ',' or ')' should be` + save},
		{"a negative shape", shaped("(-1, 4)"), "has a shape with the negative length -1; its header is damaged"},
		{"a minus alone", shaped("(-, 4)"), literals + `"-, 4), }\n" at byte 51, where a decimal integer should be` + save},
		{"a leading zero", shaped("(03, 4)"), literals + `"03, 4), }\n" at byte 51, where a decimal integer should be` + save},
		{"a length of 2^63", shaped("(9223372036854775808, 1)"), "has a shape with the length 9223372036854775808, which is more than 2^63-1; its header is damaged"},
		{"a length of 99 digits", shaped("(" + strings.Repeat("9", 99) + ", 1)"), "has a shape with the length 99999999999999999999…, which is more than 2^63-1; its header is damaged"},
		{"10^18 rows of 10^18", shaped("(1000000000000000000, 1000000000000000000)"), "has the shape (1000000000000000000, 1000000000000000000) of float64, which is more than 2^63 bytes; its header is damaged"},
		{"2^62 elements of 8 bytes", shaped("(2147483648, 2147483648)"), "has the shape (2147483648, 2147483648) of float64, which is more than 2^63 bytes; its header is damaged"},
		{"2^63-1 bytes and a header", header1("'|u1'", "False", "(9223372036854775807, 1)"), "has the shape (9223372036854775807, 1) of uint8, which is more than 2^63 bytes; its header is damaged"},
		{"no dimensions", shaped("()"), "holds a single number (shape ()): want a matrix; save array.reshape(1, 1)"},
		{"three dimensions", shaped("(2, 3, 4)"), "holds an array of 3 dimensions (2, 3, 4): want 1 or 2; save one slice, or reshape it"},
		{"many dimensions", shaped("(" + strings.Repeat("1, ", 32) + ")"), "holds an array of 32 dimensions (1, 1, 1, 1, 1, 1, 1, 1, …): want 1 or 2; save one slice, or reshape it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(bytes.NewReader(c.content))
			wantMessage(t, err, c.want)
		})
	}
}

func TestParseAcceptsWhateverPythonWouldReadAlike(t *testing.T) {
	for _, dict := range []string{
		good,
		`{"shape":(3,4),"descr":"<f8","fortran_order":False}`,
		"{ 'descr' : '<f8' ,\n 'fortran_order' : False ,\n 'shape' : ( 3 , 4 , ) , }",
		" \t{'descr': ('<f8'), 'fortran_order': (False), 'shape': ((3), 4)}",
		"{'descr': '<f8', 'fortran_order': False, 'shape': (3L, 4L)}",
		"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)}" + strings.Repeat(" ", 60000),
	} {
		in, err := Parse(bytes.NewReader(npyBytes(1, dict, "")))
		want := Info{Rows: 3, Cols: 4, Dims: 2, Elem: elem.Float64, Offset: int64(10 + len(dict))}
		if err != nil || in != want {
			t.Errorf("%.80q: got %+v, %v", dict, in, err)
		}
	}
}

func TestParseHoldsTheLargestShapes(t *testing.T) {
	for _, shape := range []string{"(0, 9223372036854775807)", "(9223372036854775807, 0)", "(1000000000000000000, 1)"} {
		in, err := Parse(bytes.NewReader(shaped(shape)))
		if err != nil || in.Shape() != shape {
			t.Errorf("%s: got %s, %v", shape, in.Shape(), err)
		}
	}
}
