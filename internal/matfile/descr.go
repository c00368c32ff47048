package matfile

import (
	"fmt"
	"strings"

	"matmul/internal/elem"
)

const wantElements = "float64, float32, integers of 8 to 64 bits, or bool"

var codes = map[string]elem.Type{
	"f8": elem.Float64, "f4": elem.Float32, "b1": elem.Bool,
	"i1": elem.Int8, "i2": elem.Int16, "i4": elem.Int32, "i8": elem.Int64,
	"u1": elem.Uint8, "u2": elem.Uint16, "u4": elem.Uint32, "u8": elem.Uint64,
}

// parseDescr reads a type descriptor such as "<f8": byte order, kind, bytes.
func parseDescr(v literal) (t elem.Type, bigEndian bool, err error) {
	if v.kind == listLiteral {
		return 0, false, &Error{Problem: "holds records (a structured type)", Want: wantElements,
			Advice: "save one field: numpy.save(file, array['field'])"}
	}
	if v.kind != stringLiteral {
		return 0, false, &Error{Problem: "has a header whose 'descr' is not a string", Want: "one such as '<f8'"}
	}
	if len(v.text) > 1 {
		if t := codes[v.text[1:]]; t.Valid() && validOrder(v.text[0], t.Size()) {
			return t, v.text[0] == '>' && t.Size() > 1, nil
		}
	}
	return 0, false, refusedDescr(v.text)
}

// validOrder reports whether order says how elements of size bytes are
// stored. '=' and '|' do not, where there is more than one byte: they would
// mean another matrix on another machine.
func validOrder(order byte, size int) bool {
	return order == '<' || order == '>' || size == 1 && (order == '|' || order == '=')
}

func refusedDescr(descr string) error {
	e := &Error{Want: wantElements, Advice: "convert it with array.astype('f8')"}
	switch what := kindOf(strings.TrimLeft(descr, "<>|=")); what {
	case "":
		e.Problem = fmt.Sprintf("has elements of the unknown type %s", excerpt(descr))
	case "Python objects":
		e.Problem = "holds Python objects, which only running code from the file could load"
	case "complex numbers":
		e.Problem = fmt.Sprintf("holds complex numbers (%s)", excerpt(descr))
		e.Advice = "save array.real and array.imag as two matrices"
	default:
		e.Problem = fmt.Sprintf("holds %s (%s)", what, excerpt(descr))
	}
	return e
}

// kindOf names the kinds of NumPy types that cannot be multiplied here, by
// the letter that their code begins with.
func kindOf(code string) string {
	switch {
	case code == "f2":
		return "float16 elements"
	case code == "f16" || code == "f12":
		return "long double elements"
	case code == "":
		return ""
	}
	switch code[0] {
	case 'O':
		return "Python objects"
	case 'c':
		return "complex numbers"
	case 'S', 'U', 'a':
		return "strings"
	case 'V':
		return "raw bytes"
	case 'M', 'm':
		return "dates or times"
	}
	return ""
}
