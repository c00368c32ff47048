package matfile

import (
	"fmt"
	"io"
	"slices"
)

// Parse reads the header of an .npy file from r, and no byte beyond it. The
// Path of the result is empty; its Offset is the number of bytes read. Every
// problem with the contents is an [*Error] without a path; a failure of r
// other than its end is returned wrapped.
//
// What is described need not exist: compare with the size of the file.
func Parse(r io.Reader) (Info, error) {
	text, offset, err := readHeader(r)
	if err != nil {
		return Info{}, err
	}
	in, err := parseHeader(text)
	if err != nil {
		return Info{}, err
	}
	in.Offset = offset
	if _, ok := fileSize(offset, in.Rows, in.Cols, in.Elem); !ok {
		return Info{}, &Error{Problem: fmt.Sprintf("has the shape %s of %s, which is more than 2^63 bytes", in.Shape(), in.Elem),
			Advice: "its header is damaged"}
	}
	return in, nil
}

// parseHeader reads the dictionary: 'descr', 'fortran_order' and 'shape',
// each once, in any order. Its encoding (Latin-1 before version 3, then
// UTF-8) does not matter: whatever is not ASCII is refused.
func parseHeader(text string) (Info, error) {
	d, err := parseLiteral(text)
	if err != nil {
		return Info{}, &Error{Problem: fmt.Sprintf("has a header that is not a dictionary of literals: %v", err),
			Advice: "write it with numpy.save"}
	}
	fields, err := headerFields(d)
	if err != nil {
		return Info{}, err
	}
	var in Info
	if in.Elem, in.BigEndian, err = parseDescr(fields["descr"]); err != nil {
		return Info{}, err
	}
	if fields["fortran_order"].kind != boolLiteral {
		return Info{}, &Error{Problem: "has a header whose 'fortran_order' is not a boolean", Want: "True or False"}
	}
	if err := in.setShape(fields["shape"]); err != nil {
		return Info{}, err
	}
	in.Fortran = fields["fortran_order"].truth && in.Dims == 2
	return in, nil
}

var headerKeys = []string{"descr", "fortran_order", "shape"}

func headerFields(d literal) (map[string]literal, error) {
	const want = "'descr', 'fortran_order' and 'shape'"
	if d.kind != dictLiteral {
		return nil, &Error{Problem: "has a header that is not a dictionary", Want: "one with " + want}
	}
	fields := make(map[string]literal)
	for i := 0; i < len(d.items); i += 2 {
		key := d.items[i]
		if key.kind != stringLiteral || !slices.Contains(headerKeys, key.text) {
			return nil, &Error{Problem: "has a header with an unknown key " + describeKey(key), Want: want}
		}
		if _, twice := fields[key.text]; twice {
			return nil, &Error{Problem: fmt.Sprintf("has a header with the key '%s' twice", key.text), Want: want}
		}
		fields[key.text] = d.items[i+1]
	}
	for _, key := range headerKeys {
		if _, ok := fields[key]; !ok {
			return nil, &Error{Problem: fmt.Sprintf("has a header without the key '%s'", key), Want: want}
		}
	}
	return fields, nil
}

func describeKey(key literal) string {
	if key.kind == stringLiteral || key.kind == intLiteral {
		return excerpt(key.text)
	}
	return "that is not a string"
}
